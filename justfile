# One command before every commit.
check: fmt clippy test doc deny layers typos

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --workspace --all-targets -- -D warnings

test:
    cargo test --workspace

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

deny:
    cargo deny check

layers:
    ! cargo tree --package f5tts-engine --edges normal --prefix none | grep -E '^(tokio|reqwest|axum|object_store|hyper) '

typos:
    typos

# What lands: all of it, from a clean clone.
ci:
    bash .ci/run
