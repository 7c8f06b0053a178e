//! The graph as SVG, without scripts and fonts of its own.

use super::graph::{Graph, Line, Node};
use std::fmt::Write as _;

const ROW: usize = 52;
const HEIGHT: usize = 40;
const TOP: usize = 56;
const MARGIN: usize = 20;
const GAP: usize = 110;
/// A little more than a character of the font takes.
const CHARACTER: usize = 8;

const STYLE: &str = "\
svg{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px}\
.ground{fill:#ffffff}.box{fill:#f4f6f9;stroke:#66707f}.tag{fill:#eef3fb;stroke:#2b62b8;stroke-dasharray:4 3}\
.title{fill:#16202b}.detail{fill:#515c69;font-size:11px}\
.head{fill:#16202b;font-weight:600;font-family:system-ui,sans-serif;font-size:14px}\
.stores,.ends{fill:none;stroke-width:1.5}.stores{stroke:#4d5866}.ends{stroke:#a8321f}\
.stores-end{fill:#4d5866}.ends-end{fill:#a8321f}.dashed{stroke-dasharray:5 4}\
@media(prefers-color-scheme:dark){.ground{fill:#0e141b}.box{fill:#1a222c;stroke:#8793a1}\
.tag{fill:#15233a;stroke:#7aa7ef}.title,.head{fill:#e8edf3}.detail{fill:#a9b4c0}.stores{stroke:#9aa6b4}\
.ends{stroke:#ff8d7a}.stores-end{fill:#9aa6b4}.ends-end{fill:#ff8d7a}}";

struct Column<'a> {
    title: &'a str,
    nodes: &'a [Node],
    left: usize,
    width: usize,
    /// How far down it begins, so that a short column stands in the middle.
    top: usize,
}

impl<'a> Column<'a> {
    fn new(title: &'a str, nodes: &'a [Node], left: usize, rows: usize) -> Self {
        let lengths = nodes
            .iter()
            .map(|node| node.title.chars().count().max(node.detail.chars().count()));
        let longest = lengths.chain([title.len()]).max().unwrap_or(0);
        Self {
            title,
            nodes,
            left,
            width: longest * CHARACTER + 24,
            top: TOP + (rows - nodes.len()) * ROW / 2,
        }
    }

    fn right(&self) -> usize {
        self.left + self.width
    }

    fn middle(&self, row: usize) -> usize {
        self.top + row * ROW + HEIGHT / 2
    }
}

pub(super) fn picture(graph: &Graph) -> String {
    let columns = [&graph.functions, &graph.keys, &graph.mutations];
    let rows = columns.map(Vec::len).into_iter().max().unwrap_or(0);
    let functions = Column::new("cached functions", &graph.functions, MARGIN, rows);
    let keys = Column::new("keys and tags", &graph.keys, functions.right() + GAP, rows);
    let mutations = Column::new("mutations", &graph.mutations, keys.right() + GAP, rows);
    let (width, height) = (mutations.right() + MARGIN, TOP + rows.max(1) * ROW + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"title\"><title id=\"title\">{} cached functions, \
         {} keys and tags, {} mutations</title><style>{STYLE}</style><defs>",
        graph.functions.len(),
        graph.keys.len(),
        graph.mutations.len(),
    );
    for kind in ["stores", "ends"] {
        _ = write!(
            svg,
            "<marker id=\"{kind}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
             orient=\"auto\"><path class=\"{kind}-end\" d=\"M0 0L8 4L0 8z\"/></marker>"
        );
    }
    _ = write!(
        svg,
        "</defs><rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>"
    );
    for line in &graph.stores {
        let from = (functions.right(), functions.middle(line.from));
        let to = (keys.left, keys.middle(line.to));
        curve(&mut svg, "stores", line, from, to);
    }
    for line in &graph.ends {
        let from = (mutations.left, mutations.middle(line.from));
        let to = (keys.right(), keys.middle(line.to));
        curve(&mut svg, "ends", line, from, to);
    }
    for column in [functions, keys, mutations] {
        boxes(&mut svg, &column);
    }
    svg.push_str("</svg>\n");
    svg
}

fn curve(
    svg: &mut String,
    kind: &str,
    line: &Line,
    (x, y): (usize, usize),
    (to_x, to_y): (usize, usize),
) {
    let dashed = if line.is_dashed { " dashed" } else { "" };
    let middle = usize::midpoint(x, to_x);
    _ = write!(
        svg,
        "<path class=\"{kind}{dashed}\" marker-end=\"url(#{kind})\" d=\"M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}\"/>"
    );
}

fn boxes(svg: &mut String, column: &Column<'_>) {
    let Column {
        title,
        nodes,
        left,
        width,
        top,
    } = column;
    _ = write!(
        svg,
        "<text class=\"head\" x=\"{left}\" y=\"32\">{title}</text>"
    );
    for (row, node) in nodes.iter().enumerate() {
        let y = top + row * ROW;
        let (class, round) = if node.is_tag { ("tag", 18) } else { ("box", 4) };
        _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{left}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" rx=\"{round}\"/>\
             <text class=\"title\" x=\"{x}\" y=\"{title_y}\">{title}</text>\
             <text class=\"detail\" x=\"{x}\" y=\"{detail_y}\">{detail}</text>",
            x = left + 12,
            title_y = y + 17,
            detail_y = y + 32,
            title = escaped(&node.title),
            detail = escaped(&node.detail),
        );
    }
}

/// Text of others, as XML shows it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // XML has no way to write these.
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
