//! Fields of a line of CSV.

use crate::LineProblem;

/// Where a field lies in its line.
pub(crate) type Field = std::ops::Range<u32>;

/// Finds the fields of a line; quoted ones are unquoted in place, which never makes them longer.
pub(crate) fn split(line: &mut [u8], delimiter: u8, fields: &mut Vec<Field>) -> Result<(), LineProblem> {
    fields.clear();
    let mut start = 0;
    while start < line.len() && line[start] != b'"' {
        match line[start..].iter().position(|byte| *byte == delimiter) {
            Some(length) => {
                fields.push(trimmed(line, start, start + length));
                start += length + 1;
            }
            None => {
                fields.push(trimmed(line, start, line.len()));
                return Ok(());
            }
        }
    }
    if start == line.len() {
        fields.push(start as u32..start as u32);
        return Ok(());
    }
    split_quoted(line, start, delimiter, fields)
}

/// The rest of a line from a quote at the start of a field.
fn split_quoted(
    line: &mut [u8],
    from: usize,
    delimiter: u8,
    fields: &mut Vec<Field>,
) -> Result<(), LineProblem> {
    let (mut read, mut write) = (from, from);
    loop {
        let start = write;
        let quoted = line.get(read) == Some(&b'"');
        read += usize::from(quoted);
        let mut open = quoted;
        while read < line.len() && (open || line[read] != delimiter) {
            let byte = line[read];
            read += 1;
            if quoted && byte == b'"' {
                if open && line.get(read) == Some(&b'"') {
                    read += 1;
                } else {
                    open = !open;
                    continue;
                }
            }
            line[write] = byte;
            write += 1;
        }
        if open {
            return Err(LineProblem::UnclosedQuote);
        }
        fields.push(if quoted { start as u32..write as u32 } else { trimmed(line, start, write) });
        if read == line.len() {
            return Ok(());
        }
        read += 1;
    }
}

fn trimmed(line: &[u8], mut start: usize, mut end: usize) -> Field {
    while start < end && line[start].is_ascii_whitespace() {
        start += 1;
    }
    while start < end && line[end - 1].is_ascii_whitespace() {
        end -= 1;
    }
    start as u32..end as u32
}

/// The bytes of a field.
pub(crate) fn bytes<'a>(line: &'a [u8], field: &Field) -> &'a [u8] {
    &line[field.start as usize..field.end as usize]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields_of(text: &[u8]) -> Result<Vec<Vec<u8>>, LineProblem> {
        let (mut line, mut fields) = (text.to_vec(), Vec::new());
        split(&mut line, b',', &mut fields)?;
        Ok(fields.iter().map(|field| bytes(&line, field).to_vec()).collect())
    }

    #[test]
    fn fields_and_quotes() {
        let check = |line: &str, expected: &[&str]| {
            let found = fields_of(line.as_bytes()).unwrap();
            let expected: Vec<&[u8]> = expected.iter().map(|field| field.as_bytes()).collect();
            assert_eq!(found, expected, "{line:?}");
        };
        check("a,b", &["a", "b"]);
        check(" a\t, b c ", &["a", "b c"]);
        check(",", &["", ""]);
        check("a,", &["a", ""]);
        check("\"a,b\",c", &["a,b", "c"]);
        check("a,\" b \"", &["a", " b "]);
        check("a,\"say \"\"no\"\"\",d", &["a", "say \"no\"", "d"]);
        check("\"\",\"\"", &["", ""]);
        check("\"a\",", &["a", ""]);
        check("5\" disk,b", &["5\" disk", "b"]);
        assert!(matches!(fields_of(b"a,\"b,c"), Err(LineProblem::UnclosedQuote)));
    }

    proptest! {
        /// On one line of well-formed CSV the splitter agrees with the csv crate.
        #[test]
        fn fields_are_those_of_the_csv_crate(row in prop::collection::vec("[ab,\"é ]{0,6}", 1..8)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&row).unwrap();
            let text = writer.into_inner().unwrap();
            let text = text.strip_suffix(b"\n").unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
            let mut record = csv::ByteRecord::new();
            reader.read_byte_record(&mut record).unwrap();
            // Ours does not count white space around a bare field; inside quotes it does.
            let trim = |field: &[u8]| field.trim_ascii().to_vec();
            let expected: Vec<Vec<u8>> = record.iter().map(trim).collect();
            let found: Vec<Vec<u8>> = fields_of(text).unwrap().iter().map(|field| trim(field)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
