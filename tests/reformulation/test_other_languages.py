from __future__ import annotations

import pytest
from reformulation.dialogues_of_other_languages import FRENCH as FRENCH_DIALOGUES
