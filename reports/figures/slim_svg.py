"""A figure's SVG without what says nothing: half of what matplotlib writes, and half of the rest is said twice.

Groups without a meaning go, and so do outlines without ink, default values and fonts; a mark is drawn where it stands, rather
than named and then placed; and neighbours that look the same are one path.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from xml.etree.ElementTree import Element

from reports.figures.svg_paths import Segment, outline, written

Style = dict[str, str]

_IDLE = {"stroke-dashoffset": "0", "stroke-opacity": "1", "fill-opacity": "1", "opacity": "1"}


@dataclass(frozen=True, slots=True)
class _Ink:
    """One thing that is drawn."""

    element: Element
    segments: tuple[Segment, ...] = ()
    """Of a path that may be joined to its neighbours."""
    clip: str = ""
    """What it is cut off by."""
    mark: str = ""
    """What it is a copy of."""

    def joins(self, later: "_Ink") -> bool:
        """Whether both may be one path.

        Where they overlap, two coats of a translucent colour are not one, a fill does not cover another's edge, and shapes that
        run round opposite ways leave a hole: so lines are joined, and copies of one mark that is as one colour.
        """
        style = style_of(self.element)
        alike = bool(self.segments) and (self.clip, self.mark, style) == (later.clip, later.mark, style_of(later.element))
        simple = style.get("fill") == "none" or (self.mark != "" and style.get("fill") == style.get("stroke"))
        return alike and simple and not any("opacity" in key for key in style)


def slim(root: Element, name: str) -> None:
    """Leave out of a figure's tree what does not change its picture.

    name: prefix of its identifiers, unique on the page.
    """
    definitions = {element.attrib["id"]: element for defs in root.iter("defs") for element in defs if "id" in element.attrib}
    drawn = list(_joined(_inked(root, definitions, "")))
    cuts = {clip: f"{name}-{number}" for number, clip in enumerate(dict.fromkeys(ink.clip for ink in drawn if ink.clip))}
    root[:] = [_cut_out(definitions[clip], identifier) for clip, identifier in cuts.items()]
    for clip, run in groupby(drawn, key=lambda ink: ink.clip):
        together = [ink.element for ink in run]
        if clip and len(together) > 1:
            group = Element("g")
            group[:] = together
            together = [group]
        for element in together if clip else ():
            element.set("clip-path", f"url(#{cuts[clip]})")
        root.extend(together)


def style_of(element: Element) -> Style:
    """Its style, by property."""
    pairs = (part.split(":", 1) for part in element.get("style", "").split(";") if ":" in part)
    return {key.strip(): value.strip() for key, value in pairs}


def styled(style: Mapping[str, str]) -> str:
    """A style as an attribute holds it, without what is so anyway; the font is the page's."""
    kept = {key: rounded(value, 2) for key, value in style.items() if key != "font-family" and _IDLE.get(key) != value}
    if "font" in kept:  # matplotlib before 3.10 writes size and family in one
        kept["font-size"] = kept.pop("font").split()[0]
    if kept.get("stroke-dasharray", "").endswith(",0"):
        del kept["stroke-dasharray"]
    return "; ".join(f"{key}: {value}" for key, value in kept.items())


def rounded(text: str, digits: int = 1) -> str:
    """A text, its numbers to so many digits after the point."""

    def shorter(found: re.Match[str]) -> str:
        number = f"{float(found[0]):.{digits}f}".rstrip("0").rstrip(".")
        return "0" if number == "-0" else re.sub(r"^(-?)0\.", r"\1.", number)

    return re.sub(r"(?<![\w#.-])-?\d+\.\d+", shorter, text)


def _inked(parent: Element, definitions: Mapping[str, Element], clip: str) -> Iterator[_Ink]:
    """What leaves ink, in the order in which it is drawn."""
    for element in parent:
        cut = (re.search(r"#([^)]+)", element.get("clip-path", "")) or [clip, clip])[1]
        match element.tag:
            case "g":
                yield from _inked(element, definitions, cut)
            case "text":
                yield _Ink(_text(element), clip=cut)
            case "path" if "transform" in element.attrib:
                yield _Ink(element, clip=cut)
            case "path":
                yield from _path(style_of(element), outline(element.get("d", "")), cut)
            case "use":
                mark = definitions[element.attrib["href"].removeprefix("#")]
                place = float(element.attrib["x"]), float(element.attrib["y"])
                yield from _path(style_of(element) | style_of(mark), outline(mark.attrib["d"], *place), cut, mark.attrib["id"])
            case other:
                assert other in ("defs", "metadata"), f"<{other}>: matplotlib draws something that is not known here"


def _path(style: Style, segments: list[Segment], clip: str, mark: str = "") -> Iterator[_Ink]:
    if segments and (style.get("fill") != "none" or "stroke" in style):
        yield _Ink(Element("path", style=styled(style)), tuple(segments), clip, mark)


def _text(element: Element) -> Element:
    """A line of text where it stands; most are turned by no angle."""
    turn = re.sub(r"rotate\(-?0[ )][^)]*\)?", "", element.get("transform", ""))
    kept = {"x": element.get("x"), "y": element.get("y"), "transform": turn or None}
    found = Element("text", {"style": styled(style_of(element))} | {key: rounded(value) for key, value in kept.items() if value})
    found.text = element.text
    return found


def _joined(drawn: Iterable[_Ink]) -> Iterator[_Ink]:
    """Paths that look the same as one. Between two of them there may be text, as between ticks: nothing is drawn over it but more of the same."""
    found: list[_Ink] = []
    for ink in drawn:
        place = next((place for place in reversed(range(len(found))) if found[place].segments), None)
        if place is not None and found[place].joins(ink):
            found[place] = replace(found[place], segments=found[place].segments + ink.segments)
        else:
            found.append(ink)
    for ink in found:
        if ink.segments:
            ink.element.set("d", written(ink.segments))
        yield ink


def _cut_out(definition: Element, identifier: str) -> Element:
    clip = Element("clipPath", id=identifier)
    clip.extend(Element(shape.tag, {key: rounded(value) for key, value in shape.attrib.items()}) for shape in definition)
    return clip
