//! As much of HDF5 (The HDF Group, File Format Specification version 1.1) as old, small files have: superblock 0, groups as
//! symbol tables, arrays of numbers in one piece.

/// Deepest path.
const DEPTH: usize = 8;

/// Most entries of a node, links between nodes, messages of an object: more than any such file has.
const MOST: usize = 4096;

/// What is said of a file that breaks off or refers to a place outside it.
const DAMAGED: &str = "the HDF5 file is damaged or cut short";

/// An opened file.
pub(super) struct Hdf5<'a> {
    bytes: &'a [u8],
    /// Address of the root group's header.
    root: usize,
}

/// An array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f64>,
}

/// The messages of an object that are used here: kind, and where the content is.
type Messages = Vec<(u16, usize, usize)>;

impl<'a> Hdf5<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, String> {
        if !bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
            return Err("it is no HDF5 file".to_owned());
        }
        let mut file = Self { bytes, root: 0 };
        if file.number(8, 1)? != 0 || file.number(13, 2)? != 0x0808 {
            return Err("the HDF5 file is of a newer kind; write it with libver='earliest'".to_owned());
        }
        file.root = file.address(64)?;
        Ok(file)
    }

    /// The array at a path.
    pub(super) fn read(&self, path: &[&str]) -> Result<Array, String> {
        let mut object = self.root;
        for name in path.iter().take(DEPTH) {
            object = self.child(object, name)?.ok_or_else(|| format!("there is no {name} in the HDF5 file"))?;
        }
        self.array(&self.messages(object)?)
    }

    fn part(&self, at: usize, length: usize) -> Result<&'a [u8], String> {
        at.checked_add(length).and_then(|end| self.bytes.get(at..end)).ok_or_else(|| DAMAGED.to_owned())
    }

    /// A number of up to eight bytes, the least first.
    fn number(&self, at: usize, length: usize) -> Result<u64, String> {
        Ok(self.part(at, length)?.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn address(&self, at: usize) -> Result<usize, String> {
        usize::try_from(self.number(at, 8)?).map_err(|_| DAMAGED.to_owned())
    }

    /// The messages of an object's header and of the blocks that go on with it.
    fn messages(&self, object: usize) -> Result<Messages, String> {
        if self.number(object, 1)? != 1 {
            return Err("an object of the HDF5 file is of a newer kind; write it with libver='earliest'".to_owned());
        }
        let (count, size) =
            (self.number(object.saturating_add(2), 2)? as usize, self.number(object.saturating_add(8), 4)?);
        let mut blocks = vec![(object.saturating_add(16), size as usize)];
        let (mut messages, mut block) = (Messages::new(), 0);
        while let Some((start, length)) = blocks.get(block).copied() {
            let whole = self.part(start, length)?;
            let mut at = 0;
            while at + 8 <= whole.len() && messages.len() < count.min(MOST) {
                let kind = self.number(start + at, 2)? as u16;
                let size = self.number(start + at + 2, 2)? as usize;
                let content = start + at + 8;
                if kind == 0x10 && blocks.len() < MOST {
                    blocks.push((self.address(content)?, self.address(content + 8)?));
                }
                messages.push((kind, content, size));
                at += 8 + size;
            }
            block += 1;
        }
        Ok(messages)
    }

    /// The object of a name in a group.
    fn child(&self, group: usize, name: &str) -> Result<Option<usize>, String> {
        let messages = self.messages(group)?;
        let table = messages.iter().find(|(kind, ..)| *kind == 0x11).ok_or("an object is no group")?.1;
        let (tree, heap) = (self.address(table)?, self.address(table.saturating_add(8))?);
        if self.part(heap, 4)? != b"HEAP" {
            return Err(DAMAGED.to_owned());
        }
        let names = self.address(heap.saturating_add(24))?;
        let (mut nodes, mut seen) = (vec![tree], 0);
        while let Some(node) = nodes.pop() {
            seen += 1;
            if seen > MOST {
                return Err(DAMAGED.to_owned());
            }
            let (mark, count) = (self.part(node, 4)?, self.number(node.saturating_add(6), 2)? as usize);
            match mark {
                b"TREE" => {
                    // Keys and children take turns, a key first.
                    for entry in 0..count.min(MOST) {
                        nodes.push(self.address(node.saturating_add(32 + 16 * entry))?);
                    }
                }
                b"SNOD" => {
                    for entry in 0..count.min(MOST) {
                        let at = node.saturating_add(8 + 40 * entry);
                        let own = self.text(names.saturating_add(self.address(at)?))?;
                        if own == name.as_bytes() {
                            return self.address(at.saturating_add(8)).map(Some);
                        }
                    }
                }
                _ => return Err(DAMAGED.to_owned()),
            }
        }
        Ok(None)
    }

    /// What stands before a zero byte.
    fn text(&self, at: usize) -> Result<&'a [u8], String> {
        let rest = self.bytes.get(at..).ok_or(DAMAGED)?;
        let end = rest.iter().take(MOST).position(|byte| *byte == 0).ok_or(DAMAGED)?;
        Ok(&rest[..end])
    }

    fn array(&self, messages: &Messages) -> Result<Array, String> {
        let find = |wanted: u16| {
            let found = messages.iter().find(|(kind, ..)| *kind == wanted).map(|(_, content, _)| *content);
            found.ok_or("an object of the HDF5 file is no array")
        };
        let (space, kind, layout) = (find(0x1)?, find(0x3)?, find(0x8)?);
        // Versions 1 and 2 of a dataspace have the sizes at different places.
        let first = space.saturating_add(if self.number(space, 1)? == 1 { 8 } else { 4 });
        let rank = self.number(space.saturating_add(1), 1)? as usize;
        let mut shape = Vec::new();
        for dimension in 0..rank.min(8) {
            shape.push(self.address(first.saturating_add(8 * dimension))?);
        }
        let length = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size)).ok_or(DAMAGED)?;
        let (class, bits) = (self.number(kind, 1)? & 0xf, self.number(kind.saturating_add(1), 3)?);
        let width = self.number(kind.saturating_add(4), 4)? as usize;
        if self.number(layout, 1)? != 3 || self.number(layout.saturating_add(1), 1)? != 1 {
            return Err("an array of the HDF5 file is in chunks or packed; write it in one piece".to_owned());
        }
        let start = self.address(layout.saturating_add(2))?;
        let whole = self.part(start, length.checked_mul(width).ok_or(DAMAGED)?)?;
        // Whole numbers or IEEE floating point, the least byte first.
        let signed = bits & 8 != 0;
        let value: fn(&[u8]) -> f64 = match (class, width, bits & 1, signed) {
            (1, 4, 0, _) => |bytes| bytes.try_into().map_or(f64::NAN, |bytes| f64::from(f32::from_le_bytes(bytes))),
            (1, 8, 0, _) => |bytes| bytes.try_into().map_or(f64::NAN, f64::from_le_bytes),
            (0, 1, 0, false) => |bytes| bytes.first().map_or(f64::NAN, |byte| f64::from(*byte)),
            (0, 4, 0, true) => |bytes| bytes.try_into().map_or(f64::NAN, |bytes| f64::from(i32::from_le_bytes(bytes))),
            (0, 8, 0, true) => |bytes| bytes.try_into().map_or(f64::NAN, |bytes| i64::from_le_bytes(bytes) as f64),
            _ => return Err("an array of the HDF5 file has numbers of a kind that is not read".to_owned()),
        };
        Ok(Array { shape, values: whole.chunks_exact(width).map(value).collect() })
    }
}
