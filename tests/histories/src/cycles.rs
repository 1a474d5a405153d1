//! Cycles in a graph of numbered nodes.
//!
//! Owned here: strongly connected components (Tarjan's, without recursion) and a shortest cycle within one. Called by `check`. Linear,
//! but for the shortest cycle, which is sought from a few nodes of one component only.

use std::collections::{HashMap, VecDeque};

/// A graph as lists of successors with a label each.
pub(crate) struct Digraph<L> {
    successors: Vec<Vec<(u32, L)>>,
}

/// Nodes from which a shortest cycle is sought.
const STARTS: usize = 64;

impl<L: Copy> Digraph<L> {
    pub(crate) fn new(nodes: usize) -> Digraph<L> {
        Digraph {
            successors: (0..nodes).map(|_| Vec::new()).collect(),
        }
    }

    pub(crate) fn edge(&mut self, from: usize, to: usize, label: L) {
        self.successors[from].push((to as u32, label));
    }

    /// Components of two nodes and more: in each there is a cycle. (No edge leads from a node to itself.)
    pub(crate) fn knots(&self) -> Vec<Vec<u32>> {
        const UNSEEN: u32 = u32::MAX;
        let nodes = self.successors.len();
        let (mut index, mut low) = (vec![UNSEEN; nodes], vec![0u32; nodes]);
        let mut on_stack = vec![false; nodes];
        let (mut stack, mut path) = (Vec::new(), Vec::<(u32, usize)>::new());
        let (mut next, mut knots) = (0, Vec::new());
        for root in 0..nodes as u32 {
            if index[root as usize] != UNSEEN {
                continue;
            }
            path.push((root, 0));
            while let Some((node, at)) = path.pop() {
                let n = node as usize;
                if at == 0 {
                    (index[n], low[n]) = (next, next);
                    next += 1;
                    stack.push(node);
                    on_stack[n] = true;
                }
                if let Some(&(to, _)) = self.successors[n].get(at) {
                    path.push((node, at + 1));
                    if index[to as usize] == UNSEEN {
                        path.push((to, 0));
                    } else if on_stack[to as usize] {
                        low[n] = low[n].min(index[to as usize]);
                    }
                    continue;
                }
                if let Some(&(parent, _)) = path.last() {
                    low[parent as usize] = low[parent as usize].min(low[n]);
                }
                if low[n] == index[n] {
                    let start = stack.iter().rposition(|&other| other == node);
                    let knot = stack.split_off(start.expect("a node stays until its component"));
                    for &member in &knot {
                        on_stack[member as usize] = false;
                    }
                    if knot.len() > 1 {
                        knots.push(knot);
                    }
                }
            }
        }
        knots
    }

    /// A short cycle within a component: nodes, each with the label of the edge that leaves it.
    pub(crate) fn cycle(&self, knot: &[u32]) -> Vec<(u32, L)> {
        let member: HashMap<u32, ()> = knot.iter().map(|&node| (node, ())).collect();
        let mut best: Option<Vec<(u32, L)>> = None;
        for &start in knot.iter().take(STARTS) {
            let mut from: HashMap<u32, (u32, L)> = HashMap::new();
            let mut queue = VecDeque::from([start]);
            'search: while let Some(node) = queue.pop_front() {
                for &(to, label) in &self.successors[node as usize] {
                    if to == start {
                        let mut cycle = vec![(node, label)];
                        let mut at = node;
                        while at != start {
                            let (before, label) = from[&at];
                            cycle.push((before, label));
                            at = before;
                        }
                        cycle.reverse();
                        if best.as_ref().is_none_or(|best| cycle.len() < best.len()) {
                            best = Some(cycle);
                        }
                        break 'search;
                    }
                    if member.contains_key(&to) && !from.contains_key(&to) {
                        from.insert(to, (node, label));
                        queue.push_back(to);
                    }
                }
            }
        }
        best.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knots_are_the_components_with_a_cycle_and_the_cycle_shown_is_short() {
        let mut graph = Digraph::new(9);
        for (from, to) in [
            (0, 1),
            (1, 2),
            (2, 3),
            (3, 0),
            (2, 0),
            (3, 4),
            (4, 5),
            (6, 7),
            (7, 6),
        ] {
            graph.edge(from, to, ());
        }
        let mut knots = graph.knots();
        for knot in &mut knots {
            knot.sort_unstable();
        }
        knots.sort();
        assert_eq!(knots, [vec![0, 1, 2, 3], vec![6, 7]]);
        assert_eq!(graph.cycle(&knots[0]).len(), 3);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let mut graph = Digraph::new(200_000);
        for node in 1..200_000 {
            graph.edge(node - 1, node, ());
        }
        assert!(graph.knots().is_empty());
        graph.edge(199_999, 0, ());
        assert_eq!(graph.knots()[0].len(), 200_000);
    }
}
