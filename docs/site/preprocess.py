"""A preprocessor of mdBook (docs/book.toml): makes links that leave docs/ lead to pages of the site,
and diagrams ready to be drawn.

What is linked to outside of docs/ becomes a page under project/: a document as it is, any other file
or folder as a listing. Nothing is asked of the network.
"""

import html
import json
import os
import re
import sys

# A link's target, and a link whose text is the name of a file: on the site it is the page's title.
LINK = re.compile(r"\]\(([^()\s]+)\)")
FILE_NAME = re.compile(r"\[([\w./-]+\.md)\]\(([^()\s#]+)(#[^()\s]+)?\)")
FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(^```.*?^```$|``.*?``|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
# Pages that are there although no page of docs/ leads to them.
ALWAYS = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"]
LANGUAGES = {".py": "python", ".rs": "rust", ".toml": "toml", ".proto": "protobuf"}


def site_path(path):
    """Where the page of a file of the repository is, as a source path of the site."""
    if path.startswith("docs/"):
        folder, name = os.path.split(path[len("docs/"):])
        return os.path.join(folder, "index.md" if name == "README.md" else name)
    if path == "README.md":
        return "project/overview.md"
    return "project/" + (path if path.endswith(".md") else path + ".md")


class Pages:
    """The pages of the site, and those that are still to be made."""

    def __init__(self, root, titles):
        self.root = root
        self.titles = titles
        self.wanted = list(ALWAYS)

    def fix(self, text, origin):
        """The text of the file `origin` with links that work on the site."""
        folder = os.path.dirname(origin)
        here = os.path.dirname(site_path(origin))

        def link(match):
            target, hash_, heading = match[1].partition("#")
            if not target or ":" in target:
                return match[0]
            path = os.path.normpath(os.path.join(folder, target))
            if not os.path.exists(os.path.join(self.root, path)):
                raise SystemExit(f"{origin}: the link to {target} leads nowhere")
            is_page = path.endswith(".md")
            if path.startswith("docs/") and not is_page:
                return match[0]
            if not path.startswith("docs/") and path not in self.wanted:
                self.wanted.append(path)
            return f"]({os.path.relpath(site_path(path), here or '.')}{hash_}{heading})"

        def titled(match):
            path = os.path.normpath(os.path.join(folder, match[2]))
            title = self.titles.get(path, match[1])
            return f"[{title}]({match[2]}{match[3] or ''})"

        text = FENCE.sub(lambda m: f'<pre class="mermaid">\n{html.escape(m[1])}</pre>', text)
        parts = CODE.split(text)
        parts[::2] = [LINK.sub(link, FILE_NAME.sub(titled, part)) for part in parts[::2]]
        return "".join(parts)

    def chapter(self, path):
        """The page of a file or folder outside of docs/."""
        full = os.path.join(self.root, path)
        if path.endswith(".md"):
            with open(full, encoding="utf-8") as file:
                text = self.fix(file.read(), path)
            name = re.search(r"^# (.*)$", text, re.MULTILINE)[1]
        else:
            text, name = f"# `{path}`\n", path
            files = [full]
            if os.path.isdir(full):
                files = sorted(os.path.join(full, name) for name in os.listdir(full))
            for file_name in files:
                with open(file_name, encoding="utf-8") as file:
                    code = file.read()
                language = LANGUAGES.get(os.path.splitext(file_name)[1], "bash")
                title = "" if file_name == full else f"\n## `{os.path.basename(file_name)}`\n"
                text += f"{title}\n~~~~{language}\n{code}~~~~\n"
        source = site_path(path)
        chapter = {
            "name": self.titles.get(path, name),
            "content": text,
            "number": None,
            "sub_items": [],
            "path": source,
            "source_path": source,
            "parent_names": [],
        }
        return {"Chapter": chapter}


def chapters(items):
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter is not None:
            yield chapter
            yield from chapters(chapter["sub_items"])


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    items = book["items"]
    titles = {
        "docs/" + chapter["source_path"]: chapter["name"]
        for chapter in chapters(items)
        if chapter["source_path"]
    }
    titles.update({"README.md": "The project", "SECURITY.md": "Security policy"})
    pages = Pages(os.path.normpath(os.path.join(context["root"], "..")), titles)
    for chapter in chapters(items):
        if chapter["source_path"]:
            chapter["content"] = pages.fix(chapter["content"], "docs/" + chapter["source_path"])
    # A page may lead to further ones.
    added = []
    for path in pages.wanted:
        added.append(pages.chapter(path))
    items.append({"PartTitle": "The project"})
    items.extend(added)
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
