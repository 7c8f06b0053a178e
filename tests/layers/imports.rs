//! Which file of a crate imports what from which other: `use` lines, and paths in the code that begin with
//! `crate`, `super`, `self` or the name of a module below. Tests do not count, nor does a re-export of what is
//! below the file itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path as FilePath;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, Path, UseTree, Visibility};

type Module = Vec<String>;

/// One import: where it stands, what it says, and the file that defines it.
pub(crate) struct Import {
    file: String,
    line: usize,
    path: String,
    pub(crate) target: String,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.path)
    }
}

/// The files of one crate with their imports.
pub(crate) struct Source(BTreeMap<String, Vec<Import>>);

impl Source {
    /// The files below a folder of this workspace.
    pub(crate) fn read(folder: &str) -> Self {
        let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files = Vec::new();
        collect(&root, &root, &mut files);
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        Self::of(&files)
    }

    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let parsed: Vec<_> = files
            .iter()
            .map(|(name, text)| Parsed::new(name, text))
            .collect();
        let modules: BTreeMap<Module, &Parsed> = parsed
            .iter()
            .map(|file| (file.module.clone(), file))
            .collect();
        let tests: BTreeSet<Module> = parsed.iter().flat_map(|file| file.tests.clone()).collect();
        let is_test = |module: &Module| tests.iter().any(|test| module.starts_with(test));
        let mut imports = BTreeMap::new();
        for file in parsed.iter().filter(|file| !is_test(&file.module)) {
            let of_file = imports.entry(file.name.clone()).or_insert_with(Vec::new);
            for used in &file.uses {
                let Some(target) = resolve(&modules, &used.path, &used.here, 0) else {
                    continue;
                };
                let below = target.starts_with(&file.module);
                if target == file.module || (used.exported && below) {
                    continue;
                }
                of_file.push(Import {
                    file: file.name.clone(),
                    line: used.line,
                    path: used.path.join("::"),
                    target: modules[&target].name.clone(),
                });
            }
        }
        Self(imports)
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn imports(&self, file: &str) -> &[Import] {
        self.0.get(file).map(Vec::as_slice).unwrap_or_default()
    }
}

fn collect(root: &FilePath, folder: &FilePath, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            files.push((name.to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// A path that a file names.
struct Used {
    /// The module it stands in: that of the file, or one that is written out in it.
    here: Module,
    path: Vec<String>,
    line: usize,
    exported: bool,
}

struct Parsed {
    name: String,
    module: Module,
    uses: Vec<Used>,
    /// Modules that exist only in tests.
    tests: Vec<Module>,
}

impl Parsed {
    fn new(name: &str, text: &str) -> Self {
        let stem = name.trim_end_matches(".rs");
        let module: Module = match stem {
            "lib" => Vec::new(),
            _ => stem.split('/').map(str::to_owned).collect(),
        };
        let mut parsed = Self {
            name: name.to_owned(),
            module: module.clone(),
            uses: Vec::new(),
            tests: Vec::new(),
        };
        let file = syn::parse_file(text).unwrap();
        Walk {
            parsed: &mut parsed,
            here: module,
        }
        .visit_file(&file);
        parsed
    }
}

struct Walk<'a> {
    parsed: &'a mut Parsed,
    here: Module,
}

impl Walk<'_> {
    fn add(&mut self, path: Vec<String>, line: usize, exported: bool) {
        let here = self.here.clone();
        self.parsed.uses.push(Used {
            here,
            path,
            line,
            exported,
        });
    }

    fn tree(&mut self, tree: &UseTree, before: &[String], exported: bool) {
        let with = |name: String| [before, &[name]].concat();
        let line = tree.span().start().line;
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(path.ident.to_string()), exported),
            UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| self.tree(tree, before, exported)),
            UseTree::Name(name) if name.ident == "self" => {
                self.add(before.to_vec(), line, exported);
            }
            UseTree::Name(name) => self.add(with(name.ident.to_string()), line, exported),
            UseTree::Rename(rename) => self.add(with(rename.ident.to_string()), line, exported),
            UseTree::Glob(_) => self.add(before.to_vec(), line, exported),
        }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let is_test = attributes(item).iter().any(is_for_tests);
        if let Item::Mod(module) = item {
            self.here.push(module.ident.to_string());
            if is_test {
                self.parsed.tests.push(self.here.clone());
            } else if module.content.is_some() {
                visit::visit_item(self, item);
            }
            self.here.pop();
        } else if !is_test {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let exported = !matches!(item.vis, Visibility::Inherited);
        self.tree(&item.tree, &[], exported);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names: Vec<_> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if names.len() > 1 && path.leading_colon.is_none() {
            self.add(names, path.span().start().line, false);
        }
        visit::visit_path(self, path);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`, and `#[cfg(all(test, …))]`.
fn is_for_tests(attribute: &Attribute) -> bool {
    let text = |attribute: &Attribute| {
        attribute
            .meta
            .require_list()
            .map(|list| list.tokens.to_string())
    };
    attribute.path().is_ident("cfg")
        && text(attribute).is_ok_and(|text| {
            text == "test" || text.starts_with("all (test") || text.starts_with("all(test")
        })
}

/// The module whose file defines what a path names: re-exports on the way are followed. Nothing for paths of
/// other crates.
fn resolve(
    modules: &BTreeMap<Module, &Parsed>,
    path: &[String],
    here: &Module,
    depth: usize,
) -> Option<Module> {
    let first = path.first()?;
    let mut rest = path;
    let mut at: Module = match first.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => here.clone(),
        name if modules.contains_key(&[&here[..], &[name.to_owned()]].concat()) => {
            rest = path;
            here.clone()
        }
        _ => return None,
    };
    while let Some((name, after)) = rest.split_first() {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            _ => break,
        }
        rest = after;
    }
    // A module that is written out inside a file counts as that file.
    while !modules.contains_key(&at) {
        at.pop()?;
    }
    while let Some((name, after)) = rest.split_first() {
        let child = [&at[..], std::slice::from_ref(name)].concat();
        if !modules.contains_key(&child) {
            break;
        }
        (at, rest) = (child, after);
    }
    let reexport = rest.first().and_then(|name| {
        let mut exports = modules[&at].uses.iter().filter(|used| used.exported);
        exports.find(|used| used.path.last() == Some(name) && used.path.len() > 1)
    });
    match reexport {
        Some(used) if depth < 8 => resolve(modules, &used.path, &used.here, depth + 1).or(Some(at)),
        _ => Some(at),
    }
}
