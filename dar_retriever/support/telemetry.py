"""Turns off the usage reports of all dependencies, unless the user has turned them on.

Importing this module sets each variable below if it is not set already. Child processes, such as
Ray's workers, inherit them. The libraries work as usual; models are still fetched from the hub.

========================== ===================== ================================================
variable                   library               what it turns off
========================== ===================== ================================================
ANONYMIZED_TELEMETRY       Chroma                usage events, if a release sends any
HF_HUB_DISABLE_TELEMETRY   huggingface_hub, and  usage reports; the list of installed libraries
                           with it transformers, in the headers of downloads
                           diffusers, open_clip
GRADIO_ANALYTICS_ENABLED   Gradio                reports of a page's parts, the check for updates
RAY_USAGE_STATS_ENABLED    Ray                   a cluster's hourly reports
========================== ===================== ================================================

huggingface_hub reads its variable only once, when it is imported. So import ``dar_retriever``
first, or set the variable before the program starts. The other libraries read theirs when a
client, a page or a cluster is opened.
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
