//! What the examples share: spawning the peer, `--json`, progress, exit codes.
