//! Networks in a process of their own. This program is both sides: without the test harness, it
//! can start itself again as the process that runs a network.

use inpaint_core::random::Random;
use inpaint_core::{Control, Mask, RgbImage};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tmad_onnx::{Limits, Network, OnnxError, RunNetwork, Sandbox, serve};

/// Argument with which this program runs a network.
const WORKER: &str = "--run-a-network";
/// Argument with which it neither answers nor ends.
const HANGS: &str = "--hang";

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(WORKER) => serve(std::io::stdin().lock(), std::io::stdout()).unwrap(),
        Some(HANGS) => std::thread::sleep(Duration::from_secs(60)),
        _ => {
            the_result_is_that_of_this_process();
            what_is_wrong_is_told();
            time_is_bounded();
            memory_is_bounded();
            damaged_files_harm_nobody();
            println!("sandbox: ok");
        }
    }
}

fn itself(argument: &'static str) -> impl Fn() -> Command + Send + Sync + 'static {
    move || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(argument);
        command
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn the_result_is_that_of_this_process() {
    let image = RgbImage::from_fn(32, 32, |x, y| [(8 * x) as u8, (8 * y) as u8, 99].into());
    let mask = Mask::from_fn(32, 32, |x, y| x / 8 == 1 && y / 8 == 1);
    let sandbox = Sandbox::load(itself(WORKER), &data("migan.onnx"), None, Limits::default());
    let sandbox = sandbox.unwrap();
    let network = Network::load(&data("migan.onnx"), None).unwrap();
    assert_eq!(sandbox.family(), network.family());
    assert_eq!(sandbox.descriptor(), network.descriptor());
    let control = Control::default();
    let expected = network.run(&image, &mask, &control).unwrap();
    for _ in 0..2 {
        assert_eq!(sandbox.run(&image, &mask, &control).unwrap(), expected);
    }
    // A picture that the network cannot take does not end the process.
    let wrong = sandbox.run(&RgbImage::new(8, 8), &Mask::new(8, 8), &control);
    assert!(matches!(wrong, Err(OnnxError::Answer(_))), "{wrong:?}");
    let cancelled = Control::default();
    cancelled.cancel();
    let stopped = sandbox.run(&image, &mask, &cancelled);
    assert!(stopped.is_ok() || matches!(stopped, Err(OnnxError::Cancelled)));
    assert_eq!(sandbox.run(&image, &mask, &control).unwrap(), expected);
}

fn what_is_wrong_is_told() {
    let load = |command: fn() -> Command, name: &str| {
        let loaded = Sandbox::load(command, &data(name), None, Limits::default());
        loaded.unwrap_err().to_string()
    };
    let foreign = load(|| itself(WORKER)(), "image.bin");
    assert!(foreign.contains("no ONNX model"), "{foreign}");
    let missing = load(|| Command::new("/there/is/no/program"), "migan.onnx");
    assert!(
        missing.contains("cannot start /there/is/no/program"),
        "{missing}"
    );
}

fn time_is_bounded() {
    let limits = Limits {
        time: Duration::from_millis(300),
        ..Limits::default()
    };
    let start = Instant::now();
    let late = Sandbox::load(itself(HANGS), &data("migan.onnx"), None, limits);
    assert!(matches!(late, Err(OnnxError::TimedOut(_))), "{late:?}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

/// A file of a few bytes that asks for 40 GB.
fn greedy_model() -> Vec<u8> {
    use rten_onnx::onnx::*;
    let text = |text: &str| Some(text.to_owned());
    let node = |kind: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: text(kind),
        input: inputs.iter().map(|name| name.to_string()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    };
    let port = |name: &str, channels: i64| {
        let dim = [1, channels, 32, 32].map(|size| Dimension {
            dim_value: Some(size),
            ..Dimension::default()
        });
        let tensor_type = TypeProtoTensor {
            elem_type: Some(DataType::FLOAT),
            shape: Some(TensorShapeProto { dim: dim.into() }),
        };
        ValueInfoProto {
            name: text(name),
            r#type: Some(TypeProto {
                tensor_type: Some(tensor_type),
                ..TypeProto::default()
            }),
        }
    };
    let shape = TensorProto {
        dims: vec![2],
        data_type: Some(DataType::INT64),
        int64_data: vec![100_000, 100_000],
        name: text("shape"),
        ..TensorProto::default()
    };
    let graph = GraphProto {
        node: vec![
            node("ConstantOfShape", &["shape"], "huge"),
            node("ReduceMax", &["huge"], "most"),
            node("Add", &["input", "most"], "output"),
        ],
        initializer: vec![shape],
        input: vec![port("input", 4)],
        output: vec![port("output", 3)],
        ..GraphProto::default()
    };
    let model = ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto {
            version: Some(17),
            ..OperatorSetIdProto::default()
        }],
        ..ModelProto::default()
    };
    model.write_buf().unwrap()
}

/// Whatever single bytes of a file say: there is a picture or an error in words, and this process
/// goes on.
fn damaged_files_harm_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("damaged.onnx");
    let whole = std::fs::read(data("lama-dft.onnx")).unwrap();
    let limits = Limits {
        memory_bytes: 2 << 30,
        time: Duration::from_secs(20),
        threads: Some(1),
    };
    let image = RgbImage::from_fn(32, 32, |x, y| [(8 * x) as u8, (8 * y) as u8, 99].into());
    let mask = Mask::from_fn(32, 32, |x, y| x / 8 == 1 && y / 8 == 1);
    let mut random = Random::new(5);
    let mut num_refused = 0;
    for _ in 0..60 {
        let mut damaged = whole.clone();
        for _ in 0..4 {
            let place = random.below(damaged.len() as u64) as usize;
            damaged[place] = random.below(256) as u8;
        }
        std::fs::write(&file, &damaged).unwrap();
        let filled = Sandbox::load(itself(WORKER), &file, None, limits)
            .and_then(|sandbox| sandbox.run(&image, &mask, &Control::default()));
        match filled {
            Ok(filled) => assert_eq!(filled.dimensions(), (32, 32)),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                num_refused += 1;
            }
        }
    }
    assert!(num_refused > 0);
}

/// Elsewhere the system does not bound it.
fn memory_is_bounded() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greedy.onnx");
    std::fs::write(&file, greedy_model()).unwrap();
    let limits = Limits {
        memory_bytes: 2 << 30,
        ..Limits::default()
    };
    let image = RgbImage::new(32, 32);
    let mask = Mask::new(32, 32);
    let told = Sandbox::load(itself(WORKER), &file, None, limits)
        .and_then(|sandbox| sandbox.run(&image, &mask, &Control::default()))
        .unwrap_err()
        .to_string();
    assert!(told.contains("more than 2048 MiB of memory"), "{told}");
}
