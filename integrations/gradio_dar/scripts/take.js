(message) => [message, {text: '', files: []}]
