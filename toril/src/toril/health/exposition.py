"""Prometheus's text format: what several processes tell, as one text."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>[^{}]+)")


def merged(texts: Mapping[str, str], label: str) -> str:
    """Join expositions, with the samples of a metric together, each with a label more.

    Args:
        texts: The label's value (without quotes, backslashes and line ends) -> an exposition, in which each
            metric has its HELP first, as the client libraries write it.
        label: The label's name; the samples must not have it.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for value, text in texts.items():
        family = ""
        for line in text.split("\n"):  # a label may have what else is taken for the end of a line
            if line.startswith("#"):
                family = line.split(" ", 3)[2]
                known = heads.setdefault(family, [])
                if line not in known:
                    known.append(line)
            elif (sample := _SAMPLE.fullmatch(line)) is not None:
                labels = ",".join(filter(None, (f'{label}="{value}"', sample["labels"])))
                samples.setdefault(family, []).append(f"{sample['name']}{{{labels}}} {sample['value']}")
    return "".join(f"{line}\n" for family in heads for line in (*heads[family], *samples.get(family, ())))
