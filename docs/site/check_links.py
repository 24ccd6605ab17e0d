"""Checks that every link of a built site leads to a file of it, and every anchor to an element.

    python3 docs/site/check_links.py FOLDER
"""

import os
import sys
import urllib.parse
from html.parser import HTMLParser


class Page(HTMLParser):
    """The links and the ids of a page."""

    def __init__(self, path):
        super().__init__()
        self.links = set()
        self.ids = set()
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name in ("id", "name") and value:
                self.ids.add(value)


def main():
    site = os.path.normpath(sys.argv[1])
    paths = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(site)
        for name in names
        if name.endswith(".html")
    ]
    pages = {path: Page(path) for path in paths}
    wrong, checked = [], 0
    for path, page in pages.items():
        # The page for what is not found stands at any depth, under the site's own root.
        if os.path.basename(path) in ("404.html", "toc.html"):
            continue
        for link in sorted(page.links):
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            checked += 1
            target = os.path.normpath(
                os.path.join(os.path.dirname(path), urllib.parse.unquote(parts.path))
                if parts.path
                else path
            )
            if not os.path.isfile(target):
                wrong.append(f"{path}: {link}: no such file")
            elif parts.fragment and target in pages:
                if urllib.parse.unquote(parts.fragment) not in pages[target].ids:
                    wrong.append(f"{path}: {link}: no such heading")
    print("\n".join(wrong), file=sys.stderr)
    if wrong or checked < 500:
        sys.exit(f"check_links: {len(wrong)} of {checked} links are wrong")


if __name__ == "__main__":
    main()
