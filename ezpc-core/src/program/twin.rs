//! Which elements exist in the other domain: a value is converted at most once in each direction.

use super::graph::Graph;
use super::kind::Domain;
use super::view::{Id, NONE, Slot, View};

/// For each node its versions in both domains: none, a whole node of the same length, or a table of elements.
#[derive(Default)]
pub(super) struct Twins {
    links: Vec<Links>,
    tables: Vec<Vec<Slot>>,
    free: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Links {
    /// Versions that the node owns, in the order of [`slot_of`].
    own: [u32; 2],
    /// What the node was converted from; belongs to that.
    origin: View,
}

const NO_LINKS: Links = Links { own: [NONE; 2], origin: View::NONE };

/// Set in a link to a table.
const TABLE: u32 = super::graph::LARGEST;

const NO_SLOT: Slot = Slot { node: NONE, index: 0 };

fn slot_of(domain: Domain) -> usize {
    usize::from(domain == Domain::Bool)
}

impl Twins {
    pub(super) fn grow(&mut self) {
        self.links.push(NO_LINKS);
    }

    /// Forgets a node; gives the nodes that it owned, once for each handle.
    pub(super) fn remove(&mut self, id: Id) -> Vec<Id> {
        let links = core::mem::replace(&mut self.links[id as usize], NO_LINKS);
        let mut owned = Vec::new();
        for link in links.own {
            if link == NONE {
                continue;
            }
            if link < TABLE {
                owned.push(link);
            } else {
                let table = core::mem::take(&mut self.tables[(link - TABLE) as usize]);
                self.free.push(link - TABLE);
                owned.extend(table.iter().map(|slot| slot.node).filter(|&node| node != NONE));
            }
        }
        for &twin in &owned {
            let origin = &mut self.links[twin as usize].origin;
            if origin.node == id {
                *origin = View::NONE;
            }
        }
        owned
    }

    /// The version of an element that its node owns.
    fn cell(&self, slot: Slot, domain: Domain) -> Option<Slot> {
        let link = self.links[slot.node as usize].own[slot_of(domain)];
        if link == NONE {
            return None;
        }
        if link < TABLE {
            return Some(Slot { node: link, ..slot });
        }
        let cell = self.tables[(link - TABLE) as usize][slot.index as usize];
        (cell.node != NONE).then_some(cell)
    }

    /// Whether each element has a version that its node owns.
    fn complete(&self, x: View, domain: Domain) -> bool {
        let link = self.links[x.node as usize].own[slot_of(domain)];
        link != NONE && (link < TABLE || x.slots().all(|slot| self.cell(slot, domain).is_some()))
    }
}

impl Graph {
    /// Whether every element has a version in `domain`.
    pub(super) fn has_twin(&self, x: View, domain: Domain) -> bool {
        if self.twins.complete(x, domain) {
            return true;
        }
        let origin = self.twins.links[x.node as usize].origin;
        origin.node != NONE && self.kind(origin).domain() == domain
    }

    /// The version of `x` in `domain` and in its own width, when it exists.
    pub(super) fn twin(&mut self, x: View, domain: Domain) -> Option<View> {
        self.twin_of_width(x, domain, self.width(x))
    }

    /// The version of `x` in `domain` and in the ring of `width` bits, when it exists.
    pub(super) fn twin_of_width(&mut self, x: View, domain: Domain, width: u32) -> Option<View> {
        let twins = &self.twins;
        let found = if twins.complete(x, domain) {
            let link = twins.links[x.node as usize].own[slot_of(domain)];
            if link < TABLE {
                View { node: link, ..x }
            } else {
                let slots: Vec<Slot> = x.slots().filter_map(|slot| twins.cell(slot, domain)).collect();
                let fits = |slot: &Slot| u32::from(self.node(slot.node).width) == width;
                if !slots.iter().all(fits) {
                    return None;
                }
                self.collect_slots(slots.into_iter())
            }
        } else {
            let origin = twins.links[x.node as usize].origin;
            if origin.node == NONE || self.kind(origin).domain() != domain {
                return None;
            }
            origin.compose(x)
        };
        (self.width(found) == width).then_some(found)
    }

    /// The elements of `x` without a version in `domain`, as positions in `x`; `None` when that is all of them.
    pub(super) fn missing(&self, x: View, domain: Domain) -> Option<Vec<u32>> {
        if self.twins.links[x.node as usize].own[slot_of(domain)] == NONE {
            return None;
        }
        let missing: Vec<u32> = (0..x.len).filter(|&i| self.twins.cell(x.at(i), domain).is_none()).collect();
        (missing.len() < x.len as usize).then_some(missing)
    }

    /// Makes `twin` the version of `x` in its domain; it lives as long as `x`. Elements that have one keep it.
    pub(super) fn set_twin(&mut self, x: View, twin: View) {
        let domain = self.kind(twin).domain();
        if self.twins.links[twin.node as usize].origin.node != NONE {
            return;
        }
        let whole = |view: View| {
            view == View::whole(view.node, self.node(view.node).len) && !self.kind(view).gathers()
        };
        let (from_whole, to_whole) = (whole(x), whole(twin));
        let link = &mut self.twins.links[x.node as usize].own[slot_of(domain)];
        if from_whole && to_whole && *link == NONE {
            *link = twin.node;
            self.counts().retain(twin.node);
            self.twins.links[twin.node as usize].origin = x;
            return;
        }
        let (mut from, mut to) = (Vec::new(), Vec::new());
        self.resolve(x, &mut |part| from.extend(part.slots()));
        self.resolve(twin, &mut |part| to.extend(part.slots()));
        let mut owned = false;
        for (&from, &to) in from.iter().zip(&to) {
            owned |= self.set_cell(from, to, domain);
        }
        // Only what `x` owns forgets it when it goes.
        if owned && to_whole && !self.kind(x).gathers() {
            self.twins.links[twin.node as usize].origin = x;
        }
    }

    /// Whether the element had none.
    fn set_cell(&mut self, slot: Slot, twin: Slot, domain: Domain) -> bool {
        let len = self.node(slot.node).len as usize;
        let link = &mut self.twins.links[slot.node as usize].own[slot_of(domain)];
        if *link == NONE {
            let id = self.twins.free.pop().unwrap_or_else(|| {
                self.twins.tables.push(Vec::new());
                super::graph::count(self.twins.tables.len() - 1)
            });
            self.twins.tables[id as usize] = vec![NO_SLOT; len];
            *link = TABLE + id;
        }
        if *link < TABLE {
            return false;
        }
        let cell = &mut self.twins.tables[(*link - TABLE) as usize][slot.index as usize];
        let free = cell.node == NONE;
        if free {
            *cell = twin;
            self.counts().retain(twin.node);
        }
        free
    }
}
