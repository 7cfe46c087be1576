use super::super::Dtype;

/// A pickle that was read: a tree of values, or a graph, as objects may be shared.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    pub(super) objects: Vec<Object<'a>>,
    pub(super) root: Value<'a>,
}

/// A value. Compound ones lie in a table, so that neither sharing nor depth costs anything.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// Something that no tensor depends on: `None`, numbers with a point, bytes, huge integers.
    Other,
    Bool,
    Int(i64),
    Text(&'a str),
    Global(Global),
    Object(ObjectId),
}

/// An index into the objects of a pickle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectId(pub(super) usize);

#[derive(Debug)]
pub(super) enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    /// Lists and sets
    List(Vec<Value<'a>>),
    /// Dictionaries, ordered or not, in the order of the file
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Storage(StorageSpec<'a>),
    Tensor(Box<TensorSpec<'a>>),
}

/// The names that a pickle may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Size,
    Device,
    Storage(Dtype),
    /// A constant such as `torch.float32`
    Constant,
}

/// A run of elements in an entry of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StorageSpec<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) key: &'a str,
    pub(crate) elements: usize,
}

/// A tensor as a view of a storage. Nothing of it is checked against the storage yet.
#[derive(Debug)]
pub(crate) struct TensorSpec<'a> {
    pub(crate) storage: StorageSpec<'a>,
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

impl<'a> Pickle<'a> {
    pub(crate) const fn root(&self) -> Value<'a> {
        self.root
    }

    pub(crate) fn dict(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        match self.object(value)? {
            Object::Dict(items) => Some(items),
            Object::Tuple(_) | Object::List(_) | Object::Storage(_) | Object::Tensor(_) => None,
        }
    }

    pub(crate) fn tensor(&self, value: Value<'a>) -> Option<&TensorSpec<'a>> {
        match self.object(value)? {
            Object::Tensor(tensor) => Some(tensor),
            Object::Tuple(_) | Object::List(_) | Object::Storage(_) | Object::Dict(_) => None,
        }
    }

    fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(id) => self.objects.get(id.0),
            Value::Other | Value::Bool | Value::Int(_) | Value::Text(_) | Value::Global(_) => None,
        }
    }
}

impl Global {
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "Size") => Self::Size,
            ("torch", "device") => Self::Device,
            ("torch", "FloatStorage") => Self::Storage(Dtype::F32),
            ("torch", "HalfStorage") => Self::Storage(Dtype::F16),
            ("torch", "BFloat16Storage") => Self::Storage(Dtype::BF16),
            ("torch", "DoubleStorage") => Self::Storage(Dtype::F64),
            ("torch", "LongStorage") => Self::Storage(Dtype::I64),
            ("torch", "IntStorage") => Self::Storage(Dtype::I32),
            ("torch", "ShortStorage") => Self::Storage(Dtype::I16),
            ("torch", "CharStorage") => Self::Storage(Dtype::I8),
            ("torch", "ByteStorage") => Self::Storage(Dtype::U8),
            ("torch", "BoolStorage") => Self::Storage(Dtype::Bool),
            ("torch", "float32" | "float16" | "bfloat16" | "float64" | "int64" | "bool") => {
                Self::Constant
            }
            _ => return None,
        })
    }
}
