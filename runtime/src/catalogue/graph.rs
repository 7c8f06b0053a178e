//! The catalogue as boxes and lines: functions, keys and tags, mutations.

use super::entries::Certainty;
use super::listing::Catalogue;
use super::names::last;
use std::collections::BTreeMap;

/// One box.
pub(super) struct Node {
    pub(super) title: String,
    pub(super) detail: String,
    pub(super) is_tag: bool,
}

/// A line between two boxes of columns that stand beside each other.
pub(super) struct Line {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Through a tag, or one of several.
    pub(super) is_dashed: bool,
}

/// Functions → keys and tags ← mutations.
pub(super) struct Graph {
    pub(super) functions: Vec<Node>,
    pub(super) keys: Vec<Node>,
    pub(super) mutations: Vec<Node>,
    /// From a function to a key.
    pub(super) stores: Vec<Line>,
    /// From a mutation to a key.
    pub(super) ends: Vec<Line>,
}

impl Graph {
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let mut graph = Self {
            functions: Vec::new(),
            keys: Vec::new(),
            mutations: Vec::new(),
            stores: Vec::new(),
            ends: Vec::new(),
        };
        let mut key_of = BTreeMap::new();
        let mut function_of = BTreeMap::new();
        for function in &catalogue.functions {
            let key = function.key();
            let keys = &mut graph.keys;
            let to = *key_of.entry(key.clone()).or_insert_with(|| {
                keys.push(Node {
                    title: key,
                    detail: function.ttl.clone(),
                    is_tag: false,
                });
                keys.len() - 1
            });
            graph.stores.push(Line {
                from: graph.functions.len(),
                to,
                is_dashed: false,
            });
            function_of
                .entry(&function.name)
                .or_insert_with(Vec::new)
                .push((graph.functions.len(), to));
            graph.functions.push(Node {
                title: last(&function.name).to_owned(),
                detail: function.place.to_string(),
                is_tag: false,
            });
        }
        let mut tag_of = BTreeMap::new();
        for tag in &catalogue.tags {
            tag_of.insert(&tag.name, graph.keys.len());
            let functions = tag.functions.iter();
            for (from, _) in functions.filter_map(|name| function_of.get(name)).flatten() {
                graph.stores.push(Line {
                    from: *from,
                    to: graph.keys.len(),
                    is_dashed: true,
                });
            }
            graph.keys.push(Node {
                title: tag.template.clone(),
                detail: format!("tag {}", last(&tag.name)),
                is_tag: true,
            });
        }
        for mutation in &catalogue.mutations {
            for target in &mutation.targets {
                let is_dashed = target.certainty == Certainty::Possible;
                let to: Vec<usize> = if let Some(tag) = &target.tag {
                    tag_of.get(tag).copied().into_iter().collect()
                } else {
                    let functions = target.functions.iter();
                    let keys = functions.filter_map(|name| function_of.get(name)).flatten();
                    keys.map(|(_, key)| *key).collect()
                };
                let from = graph.mutations.len();
                let lines = to.into_iter().map(|to| Line {
                    from,
                    to,
                    is_dashed,
                });
                graph.ends.extend(lines);
            }
            graph.mutations.push(Node {
                title: last(&mutation.name).to_owned(),
                detail: mutation.place.to_string(),
                is_tag: false,
            });
        }
        graph.untangle();
        graph
    }

    /// Puts each mutation beside the middle of what it ends.
    fn untangle(&mut self) {
        let mut order: Vec<(usize, usize)> = (0..self.mutations.len())
            .map(|number| {
                let own = self.ends.iter().filter(|line| line.from == number);
                let keys: Vec<usize> = own.map(|line| line.to).collect();
                let middle = keys.iter().sum::<usize>() * 16 / keys.len().max(1);
                (if keys.is_empty() { usize::MAX } else { middle }, number)
            })
            .collect();
        order.sort_unstable();
        let mut place = vec![0; order.len()];
        for (at, (_, number)) in order.iter().enumerate() {
            place[*number] = at;
        }
        for line in &mut self.ends {
            line.from = place[line.from];
        }
        let mut mutations: Vec<_> = std::mem::take(&mut self.mutations)
            .into_iter()
            .enumerate()
            .collect();
        mutations.sort_by_key(|(number, _)| place[*number]);
        self.mutations = mutations.into_iter().map(|(_, node)| node).collect();
    }
}
