//! What xtask asks of cargo.

use crate::{fails_with, succeeds, toy::Toy};

#[test]
fn features_reach_the_build_of_a_pipeline() {
    let toy = Toy::new();
    succeeds(&toy.build(&["reproduce", "test", "--smoke"]));
    succeeds(&toy.build(&["--features", "vulkan,cuda", "reproduce", "test", "--smoke", "--", "--device", "gpu:0"]));
    let plain = "build --release --message-format=json-render-diagnostics --workspace --bin galen-toy";
    let featured = format!("{plain} --features nn-core/vulkan,nn-core/cuda");
    assert_eq!(toy.builds(), [plain, featured.as_str()]);
    assert!(toy.arguments().contains(&"gpu:0".to_owned()), "{:?}", toy.arguments());
    // After the verb as well; and a finished program has the features that it has.
    succeeds(&toy.build(&["demo", "--features", "vulkan"]));
    assert!(toy.builds()[2].ends_with(" --features nn-core/vulkan"), "{:?}", toy.builds());
    fails_with(&toy.run(&["demo", "--features", "vulkan"]), "leave out --features or --bin-dir");
}

#[test]
fn the_devices_are_compared_only_when_that_is_asked_for() {
    let toy = Toy::new();
    succeeds(&toy.build(&["report"]));
    succeeds(&toy.build(&["ci"]));
    let verbs: Vec<String> =
        toy.builds().iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(verbs, ["fmt", "clippy", "doc", "test", "build"]);
    assert!(!toy.builds()[3].contains("parity"), "{:?}", toy.builds());

    let parity = |features: &str| format!("test --release --workspace --features {features} --test it parity");
    succeeds(&toy.build(&["ci", "--only", "parity"]));
    assert_eq!(toy.builds()[5..], [parity("nn-core/ndarray")]);
    succeeds(&toy.build(&["--features", "vulkan", "ci", "--only", "fmt", "--gpu-features"]));
    let builds = toy.builds();
    assert_eq!(builds.len(), 9, "{builds:?}");
    assert!(builds[7].starts_with("check --release "), "{builds:?}");
    assert_eq!(builds[8], parity("nn-core/ndarray,nn-core/vulkan"));
}
