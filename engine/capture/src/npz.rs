//! npz: NumPy archives with an array `X` of feature rows and an array `y` of classes, as ADBench ships them.
//!
//! Elements may be of any integer, float or boolean type, in either byte order and either memory order; all become
//! `f32`. Memory grows with the bytes that are really there, never with what a header claims.

use std::{
    io::{BufReader, Read, Seek},
    path::Path,
};

use phalanx_core::{Feature, FlowKey, Unit};
use zip::ZipArchive;

use crate::{CaptureError, FileProblem, NpzProblem, Records, error::shown, transport::open_file};

/// 2^28 numbers are 1 GiB, more than any set of ADBench has by a factor of ten.
const VALUES_MAX: u64 = 1 << 28;
/// NumPy writes 118 bytes; more dimensions or longer names do not make it thousands.
const HEADER_BYTES_MAX: usize = 4096;

/// Reads `X` and, if it is there, `y` of an archive: class 0 is `normal`, 1 is `anomaly`, others `class N`.
///
/// Features are called `x0`, `x1` and so on.
///
/// # Errors
/// If the file is no such archive, is damaged, or holds a number that is not finite in 32 bits.
pub fn read_npz(path: &Path) -> Result<Records, CaptureError> {
    read_npz_from(BufReader::new(open_file(path)?), path)
}

/// Reads an archive from anything that seeks; `name` stands for the file in messages.
///
/// # Errors
/// As [`read_npz`].
pub fn read_npz_from(reader: impl Read + Seek, name: &Path) -> Result<Records, CaptureError> {
    let fail = |array: &str, problem| CaptureError::File {
        file: name.to_owned(),
        problem: FileProblem::Npz { array: array.to_owned(), problem },
    };
    let mut archive =
        ZipArchive::new(reader).map_err(|error| fail("X", NpzProblem::Missing(error.to_string())))?;
    let samples = array(&mut archive, "X.npy").map_err(|problem| fail("X", problem))?;
    if samples.rows == 0 || samples.columns == 0 {
        return Err(CaptureError::File { file: name.to_owned(), problem: FileProblem::Empty });
    }
    let mut records = Records {
        numeric: (0..samples.columns).map(|i| Feature::raw(&format!("x{i}"), Unit::None)).collect(),
        keys: vec![FlowKey::default(); samples.rows],
        numbers: samples.row_major().map_err(|problem| fail("X", problem))?,
        ..Records::default()
    };
    if archive.index_for_name("y.npy").is_some() {
        let classes = array(&mut archive, "y.npy").map_err(|problem| fail("y", problem))?;
        label(&mut records, &classes).map_err(|problem| fail("y", problem))?;
    }
    Ok(records)
}

fn label(records: &mut Records, classes: &Array) -> Result<(), NpzProblem> {
    let expected = records.rows();
    if classes.rows != expected || classes.columns != 1 {
        return Err(NpzProblem::Rows { expected, found: classes.rows });
    }
    for (row, value) in classes.values.iter().enumerate() {
        let class = *value as u16;
        if f64::from(class) != *value || class == u16::MAX {
            return Err(NpzProblem::Class { row, value: *value });
        }
        let name = match class {
            0 => "normal".to_owned(),
            1 => "anomaly".to_owned(),
            _ => format!("class {class}"),
        };
        let code = records.labels.code(name.as_bytes(), usize::from(u16::MAX));
        let code = code.map_err(|_| NpzProblem::Class { row, value: *value })?;
        if usize::from(code) == records.benign.len() {
            records.benign.push(class == 0);
        }
        records.label_codes.push(code);
    }
    Ok(())
}

/// An array as it lies in its file.
struct Array {
    rows: usize,
    columns: usize,
    column_major: bool,
    values: Vec<f64>,
}

impl Array {
    fn row_major(&self) -> Result<Vec<f32>, NpzProblem> {
        let mut numbers = Vec::with_capacity(self.values.len());
        for row in 0..self.rows {
            for column in 0..self.columns {
                let place =
                    if self.column_major { column * self.rows + row } else { row * self.columns + column };
                let value = self.values[place];
                let number = value as f32;
                if !number.is_finite() {
                    return Err(NpzProblem::NotFinite { row, column, value });
                }
                numbers.push(number);
            }
        }
        Ok(numbers)
    }
}

fn array<R: Read + Seek>(archive: &mut ZipArchive<R>, name: &str) -> Result<Array, NpzProblem> {
    let mut file = archive.by_name(name).map_err(|error| NpzProblem::Missing(error.to_string()))?;
    let header = header(&mut file)?;
    let values_claimed = (header.rows as u64).checked_mul(header.columns as u64);
    match values_claimed {
        Some(values) if values <= VALUES_MAX && header.rows <= u32::MAX as usize => {}
        claim => {
            let values = claim.unwrap_or(u64::MAX);
            return Err(NpzProblem::TooLarge { values, values_max: VALUES_MAX });
        }
    }
    let count = header.rows * header.columns;
    let mut values = Vec::new();
    let width = header.element.bytes();
    let mut buffer = vec![0; width * 4096];
    while values.len() < count {
        let wanted = (count - values.len()).min(4096) * width;
        file.read_exact(&mut buffer[..wanted]).map_err(NpzProblem::Io)?;
        let numbers = buffer[..wanted].chunks_exact(width);
        values.extend(numbers.map(|bytes| header.element.value(bytes, header.big_endian)));
    }
    // The checksum is compared at the end, which must be here.
    match file.read(&mut buffer[..1]).map_err(NpzProblem::Io)? {
        0 => {}
        _ => return Err(NpzProblem::Header(format!("({}, {}), but more data", header.rows, header.columns))),
    }
    Ok(Array { rows: header.rows, columns: header.columns, column_major: header.column_major, values })
}

#[derive(Clone, Copy)]
enum Element {
    Signed(usize),
    Unsigned(usize),
    Single,
    Double,
}

impl Element {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "i1" => Self::Signed(1),
            "i2" => Self::Signed(2),
            "i4" => Self::Signed(4),
            "i8" => Self::Signed(8),
            "u1" | "b1" => Self::Unsigned(1),
            "u2" => Self::Unsigned(2),
            "u4" => Self::Unsigned(4),
            "u8" => Self::Unsigned(8),
            "f4" => Self::Single,
            "f8" => Self::Double,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::Signed(bytes) | Self::Unsigned(bytes) => bytes,
            Self::Single => 4,
            Self::Double => 8,
        }
    }

    fn value(self, bytes: &[u8], big_endian: bool) -> f64 {
        let mut bits = 0u64;
        for i in 0..bytes.len() {
            let byte = if big_endian { bytes[i] } else { bytes[bytes.len() - 1 - i] };
            bits = bits << 8 | u64::from(byte);
        }
        match self {
            Self::Unsigned(_) => bits as f64,
            Self::Signed(width) => {
                let unused = 64 - 8 * width as u32;
                ((bits << unused).cast_signed() >> unused) as f64
            }
            Self::Single => f64::from(f32::from_bits(bits as u32)),
            Self::Double => f64::from_bits(bits),
        }
    }
}

struct Header {
    element: Element,
    big_endian: bool,
    column_major: bool,
    rows: usize,
    columns: usize,
}

/// The header, up to the first element.
fn header(file: &mut impl Read) -> Result<Header, NpzProblem> {
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(NpzProblem::Io)?;
    if !start.starts_with(b"\x93NUMPY") {
        return Err(NpzProblem::Header(shown(&start)));
    }
    let length = if start[6] == 1 {
        let mut length = [0; 2];
        file.read_exact(&mut length).map_err(NpzProblem::Io)?;
        usize::from(u16::from_le_bytes(length))
    } else {
        let mut length = [0; 4];
        file.read_exact(&mut length).map_err(NpzProblem::Io)?;
        u32::from_le_bytes(length) as usize
    };
    if length > HEADER_BYTES_MAX {
        return Err(NpzProblem::Header(format!("{length} bytes long")));
    }
    let mut text = vec![0; length];
    file.read_exact(&mut text).map_err(NpzProblem::Io)?;
    let bad = || NpzProblem::Header(shown(&text));
    let text = std::str::from_utf8(&text).map_err(|_| bad())?;
    // A Python dictionary: {'descr': '<f8', 'fortran_order': True, 'shape': (3772, 6), }
    let value = |key: &str| {
        let rest = text.split_once(&format!("'{key}':"))?.1.trim_start();
        Some(match rest.as_bytes().first()? {
            b'(' => rest[1..].split_once(')')?.0,
            b'\'' => rest[1..].split_once('\'')?.0,
            _ => rest.split([',', '}']).next()?.trim(),
        })
    };
    let kind = value("descr").ok_or_else(bad)?;
    let (order, element) = kind.split_at_checked(1).ok_or_else(bad)?;
    let element = Element::of(element).ok_or_else(|| NpzProblem::Element(kind.to_owned()))?;
    let big_endian = match order {
        "<" | "|" => false,
        ">" => true,
        _ => return Err(NpzProblem::Element(kind.to_owned())),
    };
    let column_major = match value("fortran_order").ok_or_else(bad)? {
        "True" => true,
        "False" => false,
        _ => return Err(bad()),
    };
    let shape = value("shape").ok_or_else(bad)?;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty()).map(str::parse);
    let sizes: Vec<usize> = sizes.collect::<Result<_, _>>().map_err(|_| bad())?;
    let (rows, columns) = match sizes[..] {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        _ => return Err(bad()),
    };
    Ok(Header { element, big_endian, column_major, rows, columns })
}
