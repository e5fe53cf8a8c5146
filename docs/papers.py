"""The papers that the sources name, and the rooms, laws and examples that rest on each."""

import re

AUTHORS = {
    "1802.07942": "Johansson",
    "2206.08780": "Bonet, Berg, Courty, Septier, Drumetz, Pham",
    "2312.10794": "Geshkovski, Letrouit, Polyanskiy, Rigollet",
    "2410.06833": "Geshkovski, Koubbi, Polyanskiy, Rigollet",
    "2410.23228": "Bruno, Pasqualotto, Agazzi",
    "2411.04990": "Karagodin, Polyanskiy, Rigollet",
    "2504.14697": "Chen, Lin, Polyanskiy, Rigollet",
    "2509.25040": "Bruno, Pasqualotto, Agazzi",
    "2510.05554": "Chen, Lin, Polyanskiy, Rigollet",
    "2510.22026": "Karagodin, Ge, Polyanskiy, Rigollet",
    "2512.01868": "Rigollet",
    "2601.21942": "Fedorov, Sander, Elie, Marion, Lauriere",
    "2604.16288": "Mun, Rosenzweig",
    "2604.26085": "Kuehn, Yoon",
    "2604.26898": "Agazzi, Bruno, Mosig Garcia, Saviozzi, Romito",
    "2605.04279": "Pendharkar",
    "2605.09213": "Duerinckx, Geshkovski, Rossi",
    "2605.10931": "Alcalde, Bungert, Riedl, Roith",
    "2606.05140": "Mun, Rosenzweig",
    "2608.16664": "Shalova",
}
NUMBER = re.compile(r"\b[12]\d(?:0[1-9]|1[0-2])\.\d{5}\b")
"""An arXiv number: year, month, and five digits."""


def places(root):
    """The arXiv numbers in the sources, each with the rooms and the worked examples that name it."""
    found = {}
    for folder in ("theory", "numerics", "worked_examples"):
        for path in sorted((root / folder).glob("**/*.py")):
            place = path.relative_to(root).parts[1].removesuffix(".py")
            for number in NUMBER.findall(path.read_text()):
                found.setdefault(number, {}).setdefault(folder, set()).add(place)
    return found


def listed(names, folder, target):
    """Names of rooms or examples as links to their pages."""
    return ", ".join(f":{target.format(name)}`" for name in sorted(names.get(folder, ())) if name != "__init__")


def table(root):
    """A row for each paper."""
    yield ".. list-table::\n   :header-rows: 1\n   :widths: 18 30 52\n\n   * - arXiv\n     - authors\n     - named in"
    for number, names in sorted(places(root).items()):
        where = [
            listed(names, "theory", "doc:`theory.{0} </api/theory/{0}>"),
            listed(names, "numerics", "doc:`numerics.{0} </api/numerics/{0}>"),
            listed(names, "worked_examples", "ref:`{0}.py <example-{0}>"),
        ]
        yield f"   * - `{number} <https://arxiv.org/abs/{number}>`__\n     - {AUTHORS.get(number, '')}"
        yield f"     - {', '.join(part for part in where if part)}"


def write(folder):
    """The table that the page on citing takes in."""
    (folder / "papers.txt").write_text("\n".join(table(folder.parent)) + "\n")
