"""The Chinese of watches."""

from __future__ import annotations

ZH = {
    "unknown name `{name}`; there are {known}": "未知名称 `{name}`；可用的有 {known}",
}
