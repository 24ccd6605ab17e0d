//! Generates the protobuf messages and gRPC bindings from `proto/`, without `protoc`.

use std::error::Error;

const PROTOS: [&str; 5] = [
    "plugin.proto",
    "multiplexing.proto",
    "health.proto",
    "logical.proto",
    "pb.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
