"""Where can a notebook be opened without installing anything, given the address of the course's repository?"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from course_utils.errors import CourseError


def launch_links(address: str, path: str) -> dict[str, str]:
    """Text of a button → its link, for the notebook ``path`` of the repository at ``address``; none without address.

    ``address`` is that of a public repository on GitHub or GitLab, as in https://github.com/owner/name. Colab opens
    notebooks of GitHub alone. Raises CourseError for an address it cannot make links of.
    """
    if not address:
        return {}
    parts = urlsplit(address.rstrip("/").removesuffix(".git"))
    name = parts.path.strip("/")
    if parts.scheme != "https" or parts.netloc not in ("github.com", "gitlab.com") or name.count("/") < 1:
        raise CourseError(
            f"{address!r} is not the address of a repository that launch buttons can be made for. "
            "Give one like https://github.com/owner/name or https://gitlab.com/owner/name."
        )
    if parts.netloc == "gitlab.com":
        return {
            "Binder": f"https://mybinder.org/v2/gl/{quote(name, safe='')}/HEAD?labpath={quote(path)}",
            "Download": f"https://gitlab.com/{name}/-/raw/HEAD/{path}?inline=false",
        }
    return {
        "Binder": f"https://mybinder.org/v2/gh/{name}/HEAD?labpath={quote(path)}",
        "Colab": f"https://colab.research.google.com/github/{name}/blob/HEAD/{path}",
        "Download": f"https://github.com/{name}/raw/HEAD/{path}",
    }
