//! What a core module exports and imports: just enough of the binary format to say what is missing.

use crate::PackError;

/// Names of the exports, and of the imports as `module.name`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) exports: Vec<String>,
    pub(crate) imports: Vec<String>,
}

const HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";
const COMPONENT_HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;

impl Names {
    /// Reads the import and export sections.
    pub(crate) fn of(module: &[u8]) -> Result<Self, PackError> {
        if module.starts_with(&COMPONENT_HEADER) {
            return Err(PackError::AlreadyComponent);
        }
        let body = module.strip_prefix(&HEADER).ok_or(PackError::NotWasm)?;
        let mut names = Self::default();
        let mut sections = Reader(body);
        while !sections.0.is_empty() {
            let id = sections.byte()?;
            let size = sections.number()?;
            let mut section = Reader(sections.take(size)?);
            match id {
                IMPORTS => names.imports = section.list(Reader::import)?,
                EXPORTS => names.exports = section.list(Reader::export)?,
                _ => {}
            }
        }
        Ok(names)
    }
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], PackError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(PackError::Cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, PackError> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned LEB128 of at most 32 bits.
    fn number(&mut self) -> Result<usize, PackError> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map(|value| value as usize).map_err(|_| PackError::Cut);
            }
        }
        Err(PackError::Cut)
    }

    fn name(&mut self) -> Result<String, PackError> {
        let length = self.number()?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn list(&mut self, item: fn(&mut Self) -> Result<String, PackError>) -> Result<Vec<String>, PackError> {
        let count = self.number()?;
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(item(self)?);
        }
        Ok(names)
    }

    fn export(&mut self) -> Result<String, PackError> {
        let name = self.name()?;
        self.byte()?;
        self.number()?;
        Ok(name)
    }

    fn import(&mut self) -> Result<String, PackError> {
        let name = format!("{}.{}", self.name()?, self.name()?);
        // A plugin has none, so that the first one is all that a message needs: what follows is not read.
        self.0 = &[];
        Ok(name)
    }
}
