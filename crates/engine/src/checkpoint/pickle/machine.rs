use std::collections::HashMap;

use super::{
    PickleError,
    reader::Reader,
    value::{Global, Object, ObjectId, Pickle, StorageSpec, TensorSpec, Value},
};

/// The longest pickle that is read. That of a training checkpoint of the official model has 400 kB.
const MAX_BYTES: usize = 16 << 20;

/// The most operations that are done. Each makes at most one value, so this bounds the memory.
const MAX_OPERATIONS: usize = 2 << 20;

/// The most arguments that a call can have.
const MAX_ARGUMENTS: usize = 8;

/// The most dimensions that a tensor can have.
const MAX_RANK: usize = 8;

/// Reads a pickle.
pub(crate) fn load(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    if bytes.len() > MAX_BYTES {
        return Err(PickleError::TooLarge { bytes: bytes.len(), limit: MAX_BYTES });
    }
    let mut machine = Machine {
        input: Reader::new(bytes),
        objects: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..MAX_OPERATIONS {
        let opcode = machine.input.u8()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { objects: machine.objects, root });
        }
        machine.step(opcode)?;
    }
    Err(PickleError::TooLong { limit: MAX_OPERATIONS })
}

/// The stack machine. Opcodes are those of Python's `pickletools`.
struct Machine<'a> {
    input: Reader<'a>,
    objects: Vec<Object<'a>>,
    stack: Vec<Value<'a>>,
    /// Heights of the stack; nothing below the last one may be popped.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            b'N' | b'G' | b'B' | b'C' | 0x8e | b'J' | b'K' | b'M' | 0x88..=0x8b => {
                self.plain(opcode)
            }
            b'X' | 0x8c | 0x8d | b'U' => self.text(opcode),
            b'(' | b')' | b't' | 0x85..=0x87 | b']' | 0x8f | b'}' | 0x91 => self.make(opcode),
            b'a' | b'e' | 0x90 | b's' | b'u' => self.fill(opcode),
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memo(opcode),
            b'0'..=b'2' => self.discard(opcode),
            b'c' | 0x93 => self.global(opcode),
            b'R' => self.reduce(),
            b'b' => self.build(),
            b'Q' => self.storage(),
            // No class that may be named has instances made this way.
            0x81 | 0x92 => Err(self.malformed("a new instance")),
            0x80 => match self.input.u8()? {
                2..=4 => Ok(()),
                version => Err(PickleError::Protocol { version }),
            },
            // A frame only helps those who read in blocks.
            0x95 => self.input.array::<8>().map(drop),
            _ => Err(PickleError::Opcode { opcode, at: self.input.at() - 1 }),
        }
    }

    /// Numbers, bytes, truth and nothing.
    fn plain(&mut self, opcode: u8) -> Result<(), PickleError> {
        let value = match opcode {
            b'J' => Value::Int(i64::from(self.input.array().map(i32::from_le_bytes)?)),
            b'K' => Value::Int(i64::from(self.input.u8()?)),
            b'M' => Value::Int(i64::from(self.input.u16()?)),
            0x88 | 0x89 => Value::Bool,
            0x8a => long(self.input.bytes8()?),
            0x8b => long(self.input.bytes32()?),
            b'G' => self.input.array::<8>().map(|_| Value::Other)?,
            b'B' => self.input.bytes32().map(|_| Value::Other)?,
            b'C' => self.input.bytes8().map(|_| Value::Other)?,
            0x8e => self.input.bytes64().map(|_| Value::Other)?,
            _ => Value::Other,
        };
        self.stack.push(value);
        Ok(())
    }

    fn text(&mut self, opcode: u8) -> Result<(), PickleError> {
        let bytes = match opcode {
            b'X' => self.input.bytes32(),
            0x8d => self.input.bytes64(),
            _ => self.input.bytes8(),
        }?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.malformed("text is not UTF-8"))?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    /// New containers and marks.
    fn make(&mut self, opcode: u8) -> Result<(), PickleError> {
        let object = match opcode {
            b'(' => {
                self.marks.push(self.stack.len());
                return Ok(());
            }
            b')' => Object::Tuple(Vec::new()),
            b't' => Object::Tuple(self.pop_to_mark()?),
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x85..=opcode {
                    items.push(self.pop()?);
                }
                items.reverse();
                Object::Tuple(items)
            }
            b'}' => Object::Dict(Vec::new()),
            0x91 => Object::List(self.pop_to_mark()?),
            _ => Object::List(Vec::new()),
        };
        self.push_object(object);
        Ok(())
    }

    /// Items for the container below them.
    fn fill(&mut self, opcode: u8) -> Result<(), PickleError> {
        let items = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        let target = self.top()?;
        let wrong_target = self.malformed("items for something that is no container of them");
        let uneven = self.malformed("a key without a value");
        match (opcode, self.object_mut(target)) {
            (b'a' | b'e' | 0x90, Some(Object::List(list))) => list.extend(items),
            (b's' | b'u', Some(Object::Dict(dict))) => {
                let pairs = items.chunks_exact(2);
                if !pairs.remainder().is_empty() {
                    return Err(uneven);
                }
                dict.extend(pairs.map(|pair| (pair[0], pair[1])));
            }
            _ => return Err(wrong_target),
        }
        Ok(())
    }

    fn memo(&mut self, opcode: u8) -> Result<(), PickleError> {
        let key = match opcode {
            b'q' | b'h' => u32::from(self.input.u8()?),
            b'r' | b'j' => self.input.u32()?,
            _ => u32::try_from(self.memo.len()).map_err(|_| self.malformed("a full memo"))?,
        };
        if matches!(opcode, b'h' | b'j') {
            let value = self.memo.get(&key).copied();
            let value = value.ok_or_else(|| self.malformed("an unknown memo"))?;
            self.stack.push(value);
        } else {
            let value = self.top()?;
            self.memo.insert(key, value);
        }
        Ok(())
    }

    /// `POP`, `POP_MARK` and `DUP`.
    fn discard(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            b'0' => self.pop().map(drop),
            b'1' => self.pop_to_mark().map(drop),
            _ => {
                let value = self.top()?;
                self.stack.push(value);
                Ok(())
            }
        }
    }

    fn global(&mut self, opcode: u8) -> Result<(), PickleError> {
        let (module, name) = if opcode == b'c' {
            let (module, name) = (self.input.line()?, self.input.line()?);
            (String::from_utf8_lossy(module), String::from_utf8_lossy(name))
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            let (Value::Text(module), Value::Text(name)) = (module, name) else {
                return Err(self.malformed("a name that is no text"));
            };
            (module.into(), name.into())
        };
        let global = Global::find(&module, &name).ok_or_else(|| forbidden(&module, &name))?;
        self.stack.push(Value::Global(global));
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), PickleError> {
        let arguments = self.pop_arguments()?;
        let Value::Global(callee) = self.pop()? else {
            return Err(self.malformed("a call of something that has no name"));
        };
        match (callee, arguments.as_slice()) {
            (Global::OrderedDict, []) => self.push_object(Object::Dict(Vec::new())),
            (Global::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                let tensor = self.tensor(*storage, *offset, *shape, *strides)?;
                self.push_object(Object::Tensor(Box::new(tensor)));
            }
            (Global::RebuildParameter | Global::Size, [value, ..]) => self.stack.push(*value),
            (Global::Device, _) => self.stack.push(Value::Other),
            _ => return Err(self.malformed("an unexpected call")),
        }
        Ok(())
    }

    /// State for an object. Ordered dictionaries bring versions of modules, which we do not need.
    fn build(&mut self) -> Result<(), PickleError> {
        self.pop()?;
        let target = self.top()?;
        match self.object_mut(target) {
            Some(Object::Dict(_)) => Ok(()),
            _ => Err(self.malformed("state for something that is no dictionary")),
        }
    }

    fn storage(&mut self) -> Result<(), PickleError> {
        let id = self.pop_arguments()?;
        let storage = match id.as_slice() {
            [
                Value::Text("storage"),
                Value::Global(Global::Storage(dtype)),
                Value::Text(key),
                Value::Text(_location),
                elements,
            ] => StorageSpec { dtype: *dtype, key, elements: self.size(*elements)? },
            _ => return Err(self.malformed("a persistent id that is no storage")),
        };
        self.push_object(Object::Storage(storage));
        Ok(())
    }

    fn tensor(
        &self,
        storage: Value<'a>,
        offset: Value<'a>,
        shape: Value<'a>,
        strides: Value<'a>,
    ) -> Result<TensorSpec<'a>, PickleError> {
        let Some(Object::Storage(storage)) = self.object(storage) else {
            return Err(self.malformed("a tensor without a storage"));
        };
        let (offset, shape) = (self.size(offset)?, self.sizes(shape)?);
        let strides = self.sizes(strides)?;
        if shape.len() != strides.len() {
            return Err(self.malformed("a tensor with another number of strides than dimensions"));
        }
        Ok(TensorSpec { storage: *storage, offset, shape, strides })
    }

    fn sizes(&self, value: Value<'a>) -> Result<Vec<usize>, PickleError> {
        match self.object(value) {
            Some(Object::Tuple(items)) if items.len() <= MAX_RANK => {
                items.iter().map(|item| self.size(*item)).collect()
            }
            _ => Err(self.malformed("a shape that is none")),
        }
    }

    fn size(&self, value: Value<'a>) -> Result<usize, PickleError> {
        let Value::Int(size) = value else {
            return Err(self.malformed("a size that is no number"));
        };
        usize::try_from(size).map_err(|_| self.malformed("a size below zero"))
    }

    fn push_object(&mut self, object: Object<'a>) {
        self.stack.push(Value::Object(ObjectId(self.objects.len())));
        self.objects.push(object);
    }

    fn top(&self) -> Result<Value<'a>, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.get(floor..).and_then(<[_]>::last);
        top.copied().ok_or_else(|| self.malformed("an empty stack"))
    }

    fn pop(&mut self) -> Result<Value<'a>, PickleError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, PickleError> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.drain(mark..).collect()),
            None => Err(self.malformed("a missing mark")),
        }
    }

    /// Pops the arguments of a call.
    fn pop_arguments(&mut self) -> Result<Vec<Value<'a>>, PickleError> {
        let tuple = self.pop()?;
        match self.object(tuple) {
            // Without the limit, a long tuple could be copied over and over.
            Some(Object::Tuple(items)) if items.len() <= MAX_ARGUMENTS => Ok(items.clone()),
            _ => Err(self.malformed("arguments that are none")),
        }
    }

    fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        if let Value::Object(ObjectId(index)) = value {
            self.objects.get(index)
        } else {
            None
        }
    }

    fn object_mut(&mut self, value: Value<'a>) -> Option<&mut Object<'a>> {
        if let Value::Object(ObjectId(index)) = value {
            self.objects.get_mut(index)
        } else {
            None
        }
    }

    const fn malformed(&self, problem: &'static str) -> PickleError {
        PickleError::Malformed { problem, at: self.input.at() }
    }
}

/// A little-endian number in two's complement. No size needs more than eight bytes of it.
fn long(bytes: &[u8]) -> Value<'static> {
    let Some(last) = bytes.last() else {
        return Value::Int(0);
    };
    if bytes.len() > 8 {
        return Value::Other;
    }
    let mut padded = [if *last >= 0x80 { 0xff } else { 0 }; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(padded))
}

fn forbidden(module: &str, name: &str) -> PickleError {
    // Names come from the file: neither their length nor what they do to a terminal is trusted.
    let name = format!("{module}.{name}");
    let name = name.chars().take(100).flat_map(char::escape_default);
    PickleError::Forbidden { name: name.collect() }
}
