//! Who invalidates what: mutations and tags are told apart by the types that the compiler found, methods and the tags of
//! an entry by name.

use super::entries::{Certainty, Edge, Effect, Function, Mutation, Place, Tag, Target};
use super::names::{last, module, split};
use super::site::{BatchSite, MutationSite, MutationTarget, TagSite};
use crate::cache::{FunctionSite, KeyForm};

/// A function of the catalogue, with what tells it apart.
pub(super) struct Known {
    pub(super) site: Option<&'static FunctionSite>,
    pub(super) shown: Function,
}

struct Lists {
    functions: Vec<Known>,
    tags: Vec<(&'static TagSite, Tag)>,
    /// Which function has which tag, by their numbers.
    tagged: Vec<(usize, usize, Certainty)>,
}

/// The functions, tags and mutations with their edges.
pub(super) fn drawn(functions: Vec<Known>) -> (Vec<Function>, Vec<Tag>, Vec<Mutation>) {
    let mut lists = Lists::new(functions);
    let mut sites: Vec<_> = inventory::iter::<MutationSite>.into_iter().collect();
    sites.sort_by_key(|site| site.name);
    let mutations = sites.into_iter().map(|site| lists.mutation(site)).collect();
    let mut sites: Vec<_> = inventory::iter::<BatchSite>.into_iter().collect();
    sites.sort_by_key(|site| site.name);
    for site in sites {
        let (name, _) = split(site.name);
        for number in lists.named(&site.of, &name) {
            let function = &mut lists.functions[number].shown;
            function.batches.push(name.clone());
        }
    }
    let functions = lists.functions.into_iter().map(|known| known.shown);
    let tags = lists.tags.into_iter().map(|(_, tag)| tag);
    (functions.collect(), tags.collect(), mutations)
}

fn tags() -> Vec<(&'static TagSite, Tag)> {
    let mut sites: Vec<_> = inventory::iter::<TagSite>.into_iter().collect();
    sites.sort_by_key(|site| site.name);
    let tags = sites.into_iter().map(|site| {
        let (name, place) = split(site.name);
        let tag = Tag {
            name,
            place,
            template: site.template.to_owned(),
            functions: Vec::new(),
            invalidated_by: Vec::new(),
        };
        (site, tag)
    });
    tags.collect()
}

impl Lists {
    fn new(functions: Vec<Known>) -> Self {
        let mut tags = tags();
        let mut tagged = Vec::new();
        for (number, Known { shown, .. }) in functions.iter().enumerate() {
            let mut found: Vec<_> = shown
                .tags
                .iter()
                .flat_map(|written| meant(written, shown, &tags))
                .collect();
            found.sort();
            found.dedup_by_key(|(tag, _)| *tag);
            for (tag, certainty) in found {
                tags[tag].1.functions.push(shown.name.clone());
                tagged.push((number, tag, certainty));
            }
        }
        Self {
            functions,
            tags,
            tagged,
        }
    }

    fn mutation(&mut self, site: &MutationSite) -> Mutation {
        let (name, place) = split(site.name);
        let targets = site.targets.iter();
        let targets = targets.map(|target| self.target(target, &name, &place));
        Mutation {
            targets: targets.collect(),
            name,
            place,
        }
    }

    /// Finds what a mutation names, and writes the mutation there.
    fn target(&mut self, target: &MutationTarget, mutation: &str, place: &Place) -> Target {
        let effect = if target.updates {
            Effect::Updates
        } else {
            Effect::Invalidates
        };
        let edge = |tag: Option<String>, certainty| Edge {
            mutation: mutation.to_owned(),
            place: place.clone(),
            effect,
            tag,
            certainty,
        };
        let mut found = Target {
            text: target.text.to_owned(),
            effect,
            functions: Vec::new(),
            tag: None,
            certainty: Certainty::Declared,
        };
        let id = target.companion.map(|id| id());
        let is_tag = |(site, _): &(&TagSite, Tag)| id == Some((site.companion)());
        if let Some(number) = self.tags.iter().position(is_tag) {
            let tag = &mut self.tags[number].1;
            tag.invalidated_by.push(edge(None, Certainty::Declared));
            let members = self.tagged.iter().filter(|(_, tag, _)| *tag == number);
            for (function, _, certainty) in members {
                let function = &mut self.functions[*function].shown;
                found.functions.push(function.name.clone());
                let through = edge(Some(tag.name.clone()), *certainty);
                function.invalidated_by.push(through);
            }
            found.tag = Some(tag.name.clone());
            return found;
        }
        let numbers = self.named(target, mutation);
        if numbers.len() > 1 {
            found.certainty = Certainty::Possible;
        }
        for number in numbers {
            let function = &mut self.functions[number].shown;
            found.functions.push(function.name.clone());
            function.invalidated_by.push(edge(None, found.certainty));
        }
        found
    }

    /// The functions that a mutation names: one by its companion, or methods of this name, of the mutation's module if it
    /// has any.
    fn named(&self, target: &MutationTarget, mutation: &str) -> Vec<usize> {
        let matching = |is_meant: &dyn Fn(&FunctionSite) -> bool| -> Vec<usize> {
            let functions = self.functions.iter().enumerate();
            let matching = functions.filter(|(_, known)| known.site.is_some_and(is_meant));
            matching.map(|(number, _)| number).collect()
        };
        if let Some(id) = target.companion.map(|id| id()) {
            return matching(&|site| site.companion.is_some_and(|own| own() == id));
        }
        let methods = matching(&|site| site.method.is_some() && site.method == target.method);
        let is_beside =
            |&&number: &&usize| module(&self.functions[number].shown.name) == module(mutation);
        let beside: Vec<usize> = methods.iter().filter(is_beside).copied().collect();
        if beside.is_empty() { methods } else { beside }
    }
}

/// The declared tags that a tag of an entry can be, by what is written: a template, or the call of a function.
fn meant(written: &str, function: &Function, tags: &[(&TagSite, Tag)]) -> Vec<(usize, Certainty)> {
    let matching = |is_meant: &dyn Fn(&Tag) -> bool| -> Vec<usize> {
        let tags = tags.iter().enumerate();
        let matching = tags.filter(|(_, (_, tag))| is_meant(tag));
        matching.map(|(number, _)| number).collect()
    };
    let declared = |numbers: Vec<usize>| -> Vec<(usize, Certainty)> {
        let certainty = if numbers.len() > 1 {
            Certainty::Possible
        } else {
            Certainty::Declared
        };
        numbers
            .into_iter()
            .map(|number| (number, certainty))
            .collect()
    };
    if let Some(template) = written.strip_prefix('"') {
        let form = KeyForm::of(template.trim_end_matches('"'));
        let equal = matching(&|tag| form.equals(&KeyForm::of(&tag.template)));
        return equal
            .into_iter()
            .map(|number| (number, Certainty::Declared))
            .collect();
    }
    let path = written.split('(').next().unwrap_or(written).trim();
    let named = matching(&|tag| last(path) == last(&tag.name));
    // A plain name is most likely that of the same module.
    let is_beside = |&&number: &&usize| module(&tags[number].1.name) == module(&function.name);
    let beside: Vec<usize> = named.iter().filter(is_beside).copied().collect();
    if !path.contains("::") && !beside.is_empty() {
        return declared(beside);
    }
    declared(named)
}
