//! Placeholder root, filled below.
