//! Readers for the shared data sets: ADBench's npz and UNSW-NB15's csv. Development only; the crate never does IO.

use std::io::Read;
use std::path::{Path, PathBuf};

/// Row-major features with the truth.
pub(crate) struct Labelled {
    pub(crate) name: String,
    pub(crate) rows: Vec<f32>,
    pub(crate) width: usize,
    pub(crate) anomalous: Vec<bool>,
}

/// The folder of the data sets, or a loud note that the test proves nothing.
#[allow(clippy::disallowed_methods, reason = "where the data lies is no part of a result")]
pub(crate) fn folder() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var("PHALANX_DATA").map_or(default, PathBuf::from);
    if folder.join("adbench").is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no data sets in {}; set PHALANX_DATA to their folder", folder.display());
    None
}

/// A set of ADBench by the name of its file, without extension.
pub(crate) fn adbench(folder: &Path, name: &str) -> Labelled {
    let bytes = std::fs::read(folder.join(format!("adbench/{name}.npz"))).expect(name);
    let (x, y) = (npy(&member(&bytes, "X.npy")), npy(&member(&bytes, "y.npy")));
    let (count, width) = (x.shape[0], x.shape[1]);
    let at = |row: usize, column: usize| if x.fortran { column * count + row } else { row * width + column };
    let rows = (0..count * width).map(|i| x.values[at(i / width, i % width)] as f32).collect();
    Labelled { name: name.into(), rows, width, anomalous: y.values.iter().map(|v| *v == 1.0).collect() }
}

/// An array of numbers.
struct Array {
    shape: Vec<usize>,
    fortran: bool,
    values: Vec<f64>,
}

/// NumPy's format, versions 1 to 3, for little-endian integers and doubles.
fn npy(bytes: &[u8]) -> Array {
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let (start, length) = match bytes[6] {
        1 => (10, u16::from_le_bytes([bytes[8], bytes[9]]) as usize),
        _ => (12, u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize),
    };
    let header = std::str::from_utf8(&bytes[start..start + length]).unwrap();
    let after = |key: &str| header.split_once(key).expect(key).1;
    let shape = after("'shape': (").split_once(')').unwrap().0;
    let data = &bytes[start + length..];
    let values = match after("'descr': '").split_once('\'').unwrap().0 {
        "<f8" => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        "<i8" => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        "<i2" => data.as_chunks().0.iter().map(|b| f64::from(i16::from_le_bytes(*b))).collect(),
        other => panic!("no reader for {other}"),
    };
    Array {
        shape: shape.split(',').filter_map(|n| n.trim().parse().ok()).collect(),
        fortran: after("'fortran_order': ").starts_with("True"),
        values,
    }
}

/// One file of a zip archive, by its central directory (APPNOTE 6.3, 4.3.12).
fn member(zip: &[u8], name: &str) -> Vec<u8> {
    let u16_at = |at: usize| u16::from_le_bytes(zip[at..at + 2].try_into().unwrap()) as usize;
    let u32_at = |at: usize| u32::from_le_bytes(zip[at..at + 4].try_into().unwrap()) as usize;
    let end = zip.windows(4).rposition(|w| w == b"PK\x05\x06").expect("a zip archive");
    let mut entry = u32_at(end + 16);
    for _ in 0..u16_at(end + 10) {
        let (name_length, rest) = (u16_at(entry + 28), u16_at(entry + 30) + u16_at(entry + 32));
        if &zip[entry + 46..entry + 46 + name_length] == name.as_bytes() {
            let local = u32_at(entry + 42);
            let data = local + 30 + u16_at(local + 26) + u16_at(local + 28);
            let packed = &zip[data..data + u32_at(entry + 20)];
            let mut bytes = Vec::new();
            match u16_at(entry + 10) {
                0 => bytes.extend_from_slice(packed),
                _ => {
                    flate2::read::DeflateDecoder::new(packed).read_to_end(&mut bytes).expect("deflate");
                }
            }
            return bytes;
        }
        entry += 46 + name_length + rest;
    }
    panic!("the archive holds no {name}")
}

/// A table of text: lines of fields.
pub(crate) fn table(path: &Path) -> Vec<Vec<String>> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// `sign(x) · ln(1 + |x|)` for numbers and one-hot columns for categories of the training rows.
pub(crate) fn encode(
    train: &[&[String]],
    rows: &[&[String]],
    categorical: &[usize],
    skip: &[usize],
) -> (Vec<f32>, usize) {
    let columns = train[0].len();
    let mut categories: Vec<Vec<&str>> = vec![Vec::new(); columns];
    for column in categorical {
        let mut names: Vec<&str> = train.iter().map(|row| row[*column].as_str()).collect();
        names.sort_unstable();
        names.dedup();
        categories[*column] = names;
    }
    let mut out = Vec::new();
    for row in rows {
        for column in (0..columns).filter(|c| !skip.contains(c)) {
            if categorical.contains(&column) {
                let one_hot = categories[column].iter().map(|name| f32::from(u8::from(*name == row[column])));
                out.extend(one_hot);
            } else {
                let x: f64 = row[column].parse().expect("a number");
                out.push((libm::log1p(x.abs()) * x.signum()) as f32);
            }
        }
    }
    let width = out.len() / rows.len();
    (out, width)
}

/// Normal rows to learn from, and rows to score, of equal encoding.
pub(crate) struct Split {
    pub(crate) train: Vec<f32>,
    pub(crate) test: Labelled,
}

/// UNSW-NB15: of the normal rows every second trains; the others and all attacks test.
pub(crate) fn unsw(folder: &Path) -> Split {
    let table = table(&folder.join("unsw-nb15/unsw_nb15_shared.csv.gz"));
    let (mut train, mut test): (Vec<&[String]>, Vec<&[String]>) = (Vec::new(), Vec::new());
    let mut normals = 0;
    for row in &table[1..] {
        let normal = row[44] == "0";
        normals += usize::from(normal);
        if normal && normals % 2 == 1 { train.push(row) } else { test.push(row) }
    }
    split("UNSW", &train, &test, &[2, 3, 4], &[0, 43, 44], |row| row[44] == "1")
}

/// NSL-KDD: the normal rows of the 20 % training file train; the test file tests.
pub(crate) fn nsl(folder: &Path) -> Split {
    let train = table(&folder.join("nsl-kdd/KDDTrain+_20Percent.txt.gz"));
    let test = table(&folder.join("nsl-kdd/KDDTest+.txt.gz"));
    let normals: Vec<&[String]> = train.iter().filter(|row| row[41] == "normal").map(Vec::as_slice).collect();
    let test: Vec<&[String]> = test.iter().map(Vec::as_slice).collect();
    split("NSL", &normals, &test, &[1, 2, 3], &[41, 42], |row| row[41] != "normal")
}

fn split(
    name: &str,
    train: &[&[String]],
    test: &[&[String]],
    categorical: &[usize],
    skip: &[usize],
    anomalous: impl Fn(&[String]) -> bool,
) -> Split {
    let (rows, width) = encode(train, test, categorical, skip);
    let anomalous = test.iter().map(|row| anomalous(row)).collect();
    Split {
        train: encode(train, train, categorical, skip).0,
        test: Labelled { name: name.into(), rows, width, anomalous },
    }
}
