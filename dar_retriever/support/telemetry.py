"""Nothing that a dependency reports about its use leaves the machine, unless the user says so.

Importing this module sets a default for every variable below; a value of the user's own stays.
Child processes, such as Ray's workers, inherit them. No variable keeps a library from its work:
models are still fetched from the hub.

========================== ===================== ================================================
variable                   whose                 what it holds back
========================== ===================== ================================================
ANONYMIZED_TELEMETRY       Chroma                usage events, where a release sends any
HF_HUB_DISABLE_TELEMETRY   huggingface_hub, and  usage reports; what else is installed, in the
                           with it transformers, headers of downloads
                           diffusers, open_clip
GRADIO_ANALYTICS_ENABLED   Gradio                what a page is built of, and a look for updates
RAY_USAGE_STATS_ENABLED    Ray                   hourly reports of a cluster
========================== ===================== ================================================

huggingface_hub reads its variable once, when it is imported: import ``dar_retriever`` before it,
or set the variable where the program is started. The others are read when a client, a page or a
cluster is opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OFF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ANONYMIZED_TELEMETRY": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
)

for _name, _value in OFF.items():
    os.environ.setdefault(_name, _value)
