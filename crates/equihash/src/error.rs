//! Why a solution is refused.

/// The first rule that a solution was found to break.
///
/// Tree positions are given as `level` and `node`: level 1 joins pairs of
/// leaves and level k is the root; the nodes of a level are counted from the
/// left, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EquihashError {
    /// The encoding has the wrong size. Solutions as they come in a submit are
    /// three bytes longer, because of their compact size.
    #[error("solution has {actual} bytes instead of {expected}")]
    Length {
        /// Bytes that these parameters ask for.
        expected: usize,
        /// Bytes that were given.
        actual: usize,
    },
    /// The subtrees of a node are the wrong way round.
    #[error(
        "subtrees out of order at level {level}, node {node}: \
         the right one starts with index {right}, below {left} of the left one"
    )]
    Order {
        /// Level of the node.
        level: u32,
        /// Position of the node in its level.
        node: u32,
        /// First index of the left subtree.
        left: u32,
        /// First index of the right subtree.
        right: u32,
    },
    /// An index occurs more than once.
    #[error("index {index} occurs more than once")]
    DuplicateIndex {
        /// One such index.
        index: u32,
    },
    /// A node has too few leading zero bits. This is also what a solution of
    /// another header or nonce comes to.
    ///
    /// Nodes are looked at several at a time, as many as suit the processor, so
    /// if there are more such nodes, another machine may name another one.
    #[error(
        "no collision at level {level}, node {node}: \
         {zero_bits} leading zero bits instead of {required}"
    )]
    Collision {
        /// Level of the node.
        level: u32,
        /// Position of the node in its level.
        node: u32,
        /// Leading zero bits of the node.
        zero_bits: u32,
        /// Leading zero bits that the level asks for.
        required: u32,
    },
    /// All nodes collide as they should, but the last n/(k+1) bits of the root
    /// are not zero.
    #[error("root has {zero_bits} leading zero bits instead of {required}")]
    Root {
        /// Leading zero bits of the root.
        zero_bits: u32,
        /// All bits of a leaf, n.
        required: u32,
    },
}
