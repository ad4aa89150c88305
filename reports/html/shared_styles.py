"""Styles that the pictures of a page have in common, each said once, as a class.

A picture by itself carries its styles with it. On a page some dozens of them have the same fifty, hundreds of times over.
"""

import re


def share_styles(page: str) -> str:
    """The page with each style of a picture as a rule of its first style sheet, so that the rule comes after the sheet's own.

    Only within tags: text cannot hold a ``<``, so nothing that stands in a name is taken for a style.
    """
    classes: dict[str, str] = {}

    def by_class(found: re.Match[str]) -> str:
        return f'class="{classes.setdefault(found[1], f"s{len(classes)}")}"'

    def of_picture(picture: re.Match[str]) -> str:
        return re.sub(r"<[^>]*>", lambda tag: re.sub(r'(?<= )style="([^"]*)"', by_class, tag[0], count=1), picture[0])

    shared = re.sub(r"<svg .*?</svg>", of_picture, page, flags=re.DOTALL)
    rules = "".join(f".{name} {{ {style} }}\n" for style, name in classes.items())
    return shared.replace("</style>", f"{rules}</style>", 1)
