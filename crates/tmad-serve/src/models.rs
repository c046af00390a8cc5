//! The methods that a service offers.

use crate::config::ServeError;
use crate::problem::{Code, Problem};
use inpaint_core::{Inpainter, TextureMethod};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A method, as the service offers it.
#[derive(Clone)]
pub struct Model {
    description: String,
    provenance: Value,
    method: Method,
}

#[derive(Clone)]
enum Method {
    Inpaint(Arc<dyn Inpainter>),
    Texture(Arc<dyn TextureMethod>),
}

/// What a client wants to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Inpaint,
    Refine,
    Explain,
}

impl Operation {
    pub(crate) const ALL: [Self; 3] = [Self::Inpaint, Self::Refine, Self::Explain];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Inpaint => "inpaint",
            Self::Refine => "refine",
            Self::Explain => "explain",
        }
    }
}

impl Model {
    /// A method that fills holes. `description` is a line for people.
    pub fn inpainter(method: Arc<dyn Inpainter>, description: impl Into<String>) -> Self {
        Self::new(Method::Inpaint(method), description.into())
    }

    /// A method that also refines what others did, and explains what it does.
    pub fn texture(method: Arc<dyn TextureMethod>, description: impl Into<String>) -> Self {
        Self::new(Method::Texture(method), description.into())
    }

    fn new(method: Method, description: String) -> Self {
        Self {
            description,
            provenance: json!({}),
            method,
        }
    }

    /// Where the method and its weights come from: an object of texts.
    #[must_use]
    pub fn with_provenance(
        mut self,
        entries: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key.into(), Value::String(value.into())));
        self.provenance = Value::Object(entries.collect());
        self
    }

    /// The name by which clients ask for it.
    pub fn name(&self) -> &str {
        self.as_inpainter().name()
    }

    pub(crate) fn as_inpainter(&self) -> &dyn Inpainter {
        match &self.method {
            Method::Inpaint(method) => method.as_ref(),
            Method::Texture(method) => method.as_ref(),
        }
    }

    pub(crate) fn as_texture(&self) -> Option<&dyn TextureMethod> {
        match &self.method {
            Method::Inpaint(_) => None,
            Method::Texture(method) => Some(method.as_ref()),
        }
    }

    fn supports(&self, operation: Operation) -> bool {
        operation == Operation::Inpaint || self.as_texture().is_some()
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Model").field(&self.name()).finish()
    }
}

/// All methods; the first is what clients get who ask for none.
#[derive(Debug)]
pub(crate) struct Models {
    all: Vec<Arc<Model>>,
    /// The place of [`Self::switched`].
    switched: AtomicUsize,
}

impl Models {
    /// # Errors
    ///
    /// [`ServeError::Methods`] when there is none, or two of one name.
    pub(crate) fn new(models: Vec<Model>) -> Result<Self, ServeError> {
        let is_repeated = |(i, model): (usize, &Model)| {
            models[..i].iter().any(|other| other.name() == model.name())
        };
        if models.is_empty() || models.iter().enumerate().any(is_repeated) {
            return Err(ServeError::Methods);
        }
        Ok(Self {
            all: models.into_iter().map(Arc::new).collect(),
            switched: AtomicUsize::new(0),
        })
    }

    pub(crate) fn all(&self) -> &[Arc<Model>] {
        &self.all
    }

    /// The method that clients use who switch the service's method instead of naming one.
    pub(crate) fn switched(&self) -> Arc<Model> {
        Arc::clone(&self.all[self.switched.load(Ordering::Relaxed)])
    }

    /// Makes the method of this name the one of [`Self::switched`].
    ///
    /// # Errors
    ///
    /// [`Code::MethodUnknown`].
    pub(crate) fn switch(&self, name: &str) -> Result<Arc<Model>, Problem> {
        let model = self.choose(Some(name), Operation::Inpaint)?;
        let place = self.all.iter().position(|other| other.name() == name);
        self.switched.store(place.unwrap_or(0), Ordering::Relaxed);
        Ok(model)
    }

    /// The method of this name, or the first that can do it.
    pub(crate) fn choose(
        &self,
        name: Option<&str>,
        operation: Operation,
    ) -> Result<Arc<Model>, Problem> {
        let able = || self.all.iter().filter(|model| model.supports(operation));
        let names = |models: Vec<&str>| models.join(", ");
        let Some(name) = name else {
            return able().next().cloned().ok_or_else(|| {
                let detail = format!("no method of this service can {}", operation.name());
                Problem::new(Code::NotAvailable, detail)
            });
        };
        let Some(model) = self.all.iter().find(|model| model.name() == name) else {
            let all = names(self.all.iter().map(|model| model.name()).collect());
            // The name is the client's: shortened, since it may be long.
            let name: String = name.chars().take(40).collect();
            return Err(Problem::new(
                Code::MethodUnknown,
                format!("there is no method {name:?}; there is: {all}"),
            ));
        };
        if model.supports(operation) {
            return Ok(Arc::clone(model));
        }
        let operation = operation.name();
        let others = names(able().map(|model| model.name()).collect());
        let detail = if others.is_empty() {
            format!("{name} cannot {operation}, nor can any other method of this service")
        } else {
            format!("{name} cannot {operation}; these methods can: {others}")
        };
        Err(Problem::new(Code::UnsupportedByMethod, detail))
    }

    /// For `GET /v1/models`.
    pub(crate) fn to_json(&self) -> Value {
        let models = self.all.iter().enumerate().map(|(i, model)| {
            let supports = Operation::ALL.iter().filter(|&&op| model.supports(op));
            json!({
                "name": model.name(),
                "description": model.description,
                "provenance": model.provenance,
                "default": i == 0,
                "supports": supports.map(|op| op.name()).collect::<Vec<_>>(),
            })
        });
        Value::Array(models.collect())
    }
}
