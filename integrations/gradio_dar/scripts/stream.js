() => {
  // Gradio's client closes the stream of answers when none is missing. What is asked in that moment
  // would stay unanswered; here the stream goes on until it is answered.
  const plain = window.fetch, missing = new Set(), early = new Set();
  const ask = async (...request) => {
    const asking = {};
    missing.add(asking);
    try {
      const answer = await plain(...request);
      const {event_id: id} = answer.ok ? await answer.clone().json() : {};
      if (id && !early.delete(id)) missing.add(id);
      return answer;
    } finally { missing.delete(asking); }
  };
  const events = async function* (answer) {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ;) {
      const {done, value} = await reader.read();
      if (done) return;
      const all = (rest + value).split('\n\n');
      rest = all.pop();
      yield* all;
    }
  };
  const listen = async (...request) => {
    const asked = new Request(...request);
    let answer = await plain(asked.clone());
    if (!answer.ok) return answer;
    const start = async (stream) => {
      for (let closed = true; closed && answer.ok;) {
        closed = false;
        for await (const event of events(answer)) {
          const {msg, event_id: id} = JSON.parse(event.slice(event.indexOf('{')));
          if (msg === 'process_completed' && !missing.delete(id)) early.add(id);
          if (msg === 'close_stream') closed = true;
          else stream.enqueue(`${event}\n\n`);
        }
        if (!closed) missing.clear();
        if (!missing.size) break;
        answer = await plain(asked.clone());
      }
      // Only now: a client that leaves before the server is done would take what waits with it.
      stream.enqueue('data: {"msg": "close_stream"}\n\n');
      stream.close();
    };
    return new Response(new ReadableStream({start}).pipeThrough(new TextEncoderStream()));
  };
  window.fetch = (...request) => {
    const {pathname} = new URL(request[0].url ?? request[0], location.href);
    if (pathname.endsWith('/queue/join')) return ask(...request);
    return pathname.endsWith('/queue/data') ? listen(...request) : plain(...request);
  };
}
