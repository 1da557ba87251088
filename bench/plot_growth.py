#!/usr/bin/env python3
"""Draws what a change of view costs in growing clusters.

usage: krg_kddm_growth --json | plot_growth.py > growth.svg

Goal    a picture of how messages and time of a node fall as the cluster grows, beside a line of 1/n.
Method  reads the lines of krg_kddm_growth; writes SVG by itself, so that nothing has to be installed.
"""
import json
import math
import sys

WIDTH, HEIGHT, MARGIN = 640, 400, 70
COLOURS = {"messages of a node": "#1f77b4", "ms of a core": "#d62728", "1/n": "#999999"}


def read(lines):
    """Curves: name -> [(nodes, value)]."""
    curves = {name: [] for name in COLOURS}
    for line in lines:
        row = json.loads(line)
        if row["row"] != "view change, a node leaves":
            continue
        nodes = row["nodes"]
        curves["messages of a node"].append((nodes, row["sent"]))
        curves["ms of a core"].append((nodes, row["cpu_ms"]))
    if not curves["messages of a node"]:
        sys.exit("plot_growth.py: no line about a view change; give it the output of krg_kddm_growth --json")
    first_nodes, first = curves["messages of a node"][0]
    curves["1/n"] = [(nodes, first * first_nodes / nodes) for nodes, _ in curves["messages of a node"]]
    return curves


def scales(curves):
    """Functions from nodes and values to places, both logarithmic, and the decades of the values."""
    points = [p for curve in curves.values() for p in curve if p[1] > 0]
    low_x, high_x = (f(math.log10(p[0]) for p in points) for f in (min, max))
    low_y, high_y = math.floor(min(math.log10(p[1]) for p in points)), math.ceil(max(math.log10(p[1]) for p in points))
    wide = max(high_x - low_x, 1e-9)
    x = lambda n: MARGIN + (math.log10(n) - low_x) / wide * (WIDTH - 2 * MARGIN)
    y = lambda v: HEIGHT - MARGIN - (math.log10(v) - low_y) / max(high_y - low_y, 1) * (HEIGHT - 2 * MARGIN)
    return x, y, range(low_y, high_y + 1)


def draw(curves):
    x, y, decades = scales(curves)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{WIDTH / 2}" y="24" text-anchor="middle">A node leaves: what that costs each of the others</text>',
           f'<text x="{WIDTH / 2}" y="{HEIGHT - 20}" text-anchor="middle">nodes</text>']
    for decade in decades:
        at = y(10.0**decade)
        out.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{at:.1f}" y2="{at:.1f}" stroke="#eee"/>')
        out.append(f'<text x="{MARGIN - 6}" y="{at + 4:.1f}" text-anchor="end">{10.0**decade:g}</text>')
    for nodes, _ in curves["messages of a node"]:
        out.append(f'<text x="{x(nodes):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{nodes}</text>')
    for number, (name, curve) in enumerate(curves.items()):
        places = " ".join(f"{x(n):.1f},{y(v):.1f}" for n, v in curve if v > 0)
        dashes = ' stroke-dasharray="4 4"' if name == "1/n" else ""
        out.append(f'<polyline points="{places}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"{dashes}/>')
        out.append(f'<text x="{WIDTH - MARGIN + 4}" y="{60 + 16 * number}" text-anchor="end" fill="{COLOURS[name]}">{name}</text>')
    return "\n".join(out + ["</svg>", ""])


if __name__ == "__main__":
    sys.stdout.write(draw(read(sys.stdin)))
