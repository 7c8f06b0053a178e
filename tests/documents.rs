//! The Markdown of the repository: no link is dead, and names of the API lead to their page on docs.rs.
//!
//! `runtime/docs/guide.md` and the other pages are read on GitHub as well as in rustdoc, so a name such as `` [`Key`] `` has a
//! definition at the end of its page; `UPDATE_EXPECT=1` writes the definitions, from the list of the public API.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const API: &str = include_str!("public_api/millpond.txt");
const DOCS_RS: &str = "https://docs.rs/millpond/latest/millpond/";

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let pages = pages();
    let mut dead = Vec::new();
    for (path, page) in &pages {
        for link in links(page) {
            if !leads_somewhere(&link, path, &pages, page) {
                dead.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn every_name_of_the_api_in_a_document_is_a_link_to_its_page() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for (path, page) in pages() {
        let wanted = with_definitions(&page);
        if wanted == page {
            continue;
        }
        if update {
            fs::write(Path::new(ROOT).join(&path), wanted).expect("the page can be written");
        } else {
            wrong.push(path.display().to_string());
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong:?} lack definitions of links, or have some too many; run\n    UPDATE_EXPECT=1 cargo test --test documents"
    );
}

/// The pages in the repository, by their path from its root.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(ROOT).join(&folder)).expect("a readable folder") {
            let entry = entry.expect("a readable folder");
            let name = entry.file_name().into_string().expect("names are UTF-8");
            let path = folder.join(&name);
            let kind = entry.file_type().expect("a file has a type");
            let is_ours = !name.starts_with('.') && name != "target" && name != "node_modules";
            if kind.is_dir() && is_ours {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|it| it == "md") {
                let text = fs::read_to_string(Path::new(ROOT).join(&path)).expect("a page");
                found.insert(path, text);
            }
        }
    }
    assert!(found.len() > 5, "{:?}", found.keys());
    found
}

/// The lines outside of code blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// A line without the code in it, whose brackets are no links.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// The targets of the links of a page: `](target)`, and `[label]: target`.
fn links(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in prose(page) {
        let line = without_code(line);
        let inline = line.split("](").skip(1);
        found.extend(inline.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())));
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            found.insert(target.to_owned());
        }
    }
    found
}

fn leads_somewhere(link: &str, from: &Path, pages: &BTreeMap<PathBuf, String>, page: &str) -> bool {
    if let Some(item) = link.strip_prefix(DOCS_RS) {
        return is_documented(item);
    }
    // Pages of others need a network.
    if link.starts_with("https://") {
        return true;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = from.parent().unwrap_or(Path::new("")).join(file);
    if file.is_empty() {
        anchors(page).contains(anchor)
    } else if anchor.is_empty() {
        Path::new(ROOT).join(target).exists()
    } else {
        pages
            .get(&target)
            .is_some_and(|page| anchors(page).contains(anchor))
    }
}

/// The names that GitHub gives to the headings of a page.
fn anchors(page: &str) -> BTreeSet<String> {
    prose(page)
        .filter_map(|line| {
            line.trim_start_matches('#')
                .strip_prefix(' ')
                .filter(|_| line.starts_with('#'))
        })
        .map(|title| {
            let kept = title.to_lowercase();
            let kept = kept
                .chars()
                .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
            kept.collect::<String>().trim().replace(' ', "-")
        })
        .collect()
}

/// The page with one definition for each label in backticks that it uses, and none beside them.
fn with_definitions(page: &str) -> String {
    let is_definition =
        |line: &str| line.starts_with("[`") && line.contains(&format!("`]: {DOCS_RS}"));
    let body: String = page
        .lines()
        .filter(|line| !is_definition(line))
        .fold(String::new(), |body, line| body + line + "\n");
    let labels: BTreeSet<&str> = prose(&body).flat_map(labels).collect();
    if labels.is_empty() {
        return body;
    }
    let mut definitions = String::new();
    for label in labels {
        let item = item(label).unwrap_or_else(|| panic!("[`{label}`] is no name of the API"));
        writeln!(definitions, "[`{label}`]: {DOCS_RS}{item}").expect("a String takes everything");
    }
    format!("{}\n\n{definitions}", body.trim_end())
}

/// The labels in backticks that a line refers to: `` [`label`] `` and `` [text][`label`] ``.
fn labels(line: &str) -> Vec<&str> {
    let starts = line.match_indices("[`").map(|(at, _)| at + 2);
    starts
        .filter_map(|start| {
            let (label, after) = line[start..].split_once("`]")?;
            let is_name = label
                .chars()
                .all(|it| it.is_alphanumeric() || "_:!".contains(it));
            // Otherwise it is the text of a link whose target or label follows.
            (is_name && !after.starts_with(['(', '['])).then_some(label)
        })
        .collect()
}

/// Where docs.rs has an item of this name, which stands at the root or in `limit`.
fn item(label: &str) -> Option<String> {
    ["millpond::", "millpond::limit::"]
        .iter()
        .find_map(|root| page_of(&format!("{root}{}", label.trim_end_matches('!'))))
}

/// The page of an item, and for a member of a type the place on it.
fn page_of(path: &str) -> Option<String> {
    let (parent, member) = path.rsplit_once("::")?;
    if let Some(kind) = kind_of(path).filter(|_| matches!(kind_of(parent), None | Some("mod"))) {
        let path = path.strip_prefix("millpond::")?;
        let (module, name) = path
            .rsplit_once("::")
            .map_or((String::new(), path), |(module, name)| {
                (module.replace("::", "/") + "/", name)
            });
        return Some(match kind {
            "mod" => format!("{module}{name}/index.html"),
            kind => format!("{module}{kind}.{name}.html"),
        });
    }
    let kind = kind_of(parent)?;
    // Methods are listed under the path of the type itself, which may be exported at the root as well.
    let name = parent.rsplit("::").next()?;
    let homes = [
        parent.to_owned(),
        format!("millpond::limit::{name}"),
        format!("millpond::{name}"),
    ];
    let place = API.lines().find_map(|line| {
        let rest = signature(line)?;
        homes.iter().find_map(|home| {
            let (_, rest) = rest.split_once(home.as_str())?;
            let rest = if rest.starts_with('<') {
                rest.split_once(">::")?.1
            } else {
                rest.strip_prefix("::")?
            };
            let rest = rest.strip_prefix(member)?;
            match rest.chars().next() {
                Some('(' | '<') if line.contains(" fn ") => Some("method"),
                Some(':') => Some("structfield"),
                None | Some('(') if kind == "enum" => Some("variant"),
                _ => None,
            }
        })
    })?;
    Some(format!("{}#{place}.{member}", page_of(parent)?))
}

/// What kind of item this is, as the names of the pages of rustdoc begin with it.
fn kind_of(path: &str) -> Option<&'static str> {
    // The list says `pub use` of macros, of whatever kind they are.
    match path {
        "millpond::cached"
        | "millpond::invalidates"
        | "millpond::updates"
        | "millpond::rate_limited" => {
            return API.contains(&format!("pub use {path}\n")).then_some("attr");
        }
        "millpond::key" => return Some("macro"),
        _ => {}
    }
    let kinds = [
        ("struct", "struct"),
        ("enum", "enum"),
        ("trait", "trait"),
        ("mod", "mod"),
        ("fn", "fn"),
        ("const", "constant"),
    ];
    kinds.into_iter().find_map(|(keyword, kind)| {
        let start = format!("pub {keyword} {path}");
        let mut ends = API
            .lines()
            .filter_map(|line| signature(line)?.strip_prefix(&start));
        ends.any(|end| {
            !end.starts_with("::") && !end.starts_with(|it: char| it.is_alphanumeric() || it == '_')
        })
        .then_some(kind)
    })
}

/// A line of the list from `pub` on.
fn signature(line: &str) -> Option<&str> {
    line.find("pub ").map(|at| &line[at..])
}

/// Whether docs.rs has this page, and the place on it.
fn is_documented(page: &str) -> bool {
    let (file, place) = page.split_once('#').unwrap_or((page, ""));
    let file = file.strip_suffix("index.html").unwrap_or(file);
    if file.is_empty() {
        return true;
    }
    let mut path: Vec<&str> = file.trim_end_matches('/').split('/').collect();
    if let Some(last) = path.last_mut()
        && let Some(name) = last.strip_suffix(".html")
    {
        *last = name.split_once('.').map_or(name, |(_, name)| name);
    }
    let mut path = format!("millpond::{}", path.join("::"));
    // A place that is no member is a heading of the page's text.
    if let Some((kind, member)) = place.split_once('.')
        && ["method", "structfield", "variant"].contains(&kind)
    {
        path = format!("{path}::{member}");
    }
    page_of(&path).is_some()
}

#[test]
fn every_test_that_the_security_page_names_is_there() {
    let page = include_str!("../SECURITY.md");
    let named = page.split('`').skip(1).step_by(2);
    let named: Vec<_> = named
        .filter_map(|code| code.strip_prefix("tests/")?.split_once("::"))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for (file, test) in named {
        let path = Path::new(ROOT).join("tests").join(file);
        let text = fs::read_to_string(&path).unwrap_or_default();
        assert!(text.contains(&format!("fn {test}(")), "{file}: {test}");
    }
}
