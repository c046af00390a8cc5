//! Object stores: Amazon S3 and whatever speaks its protocol, Google Cloud Storage, Azure Blob
//! Storage, and folders of this machine by `file://`. Part of builds with the feature
//! `object-store`.

#[cfg(feature = "object-store")]
pub use with_stores::Remote;
#[cfg(not(feature = "object-store"))]
pub use without_stores::Remote;

#[cfg(feature = "object-store")]
mod with_stores {
    use anyhow::{Context, Result, anyhow};
    use futures_util::TryStreamExt;
    use inpaint_photo::format_of_extension;
    use object_store::path::Path;
    use object_store::{
        Attribute, Attributes, ObjectStore, ObjectStoreExt, PutOptions, PutPayload, parse_url_opts,
    };
    use std::fmt;
    use std::sync::{Arc, LazyLock};
    use tokio::runtime::{Builder, Runtime};
    use url::Url;

    /// Everything here waits for the network; one thread is enough, and it is the caller's.
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime without threads of its own needs no more than file handles")
    });

    /// A file or folder in an object store.
    #[derive(Debug, Clone)]
    pub struct Remote {
        store: Arc<dyn ObjectStore>,
        /// The URL up to the path, without a slash at its end.
        root: String,
        path: Path,
        is_marked_folder: bool,
    }

    impl Remote {
        /// Takes access keys, region and endpoint from the environment variables that the
        /// providers' own tools use, such as `AWS_ACCESS_KEY_ID`.
        ///
        /// # Errors
        ///
        /// In words, if the URL or the settings cannot be used.
        pub fn open(url: &str) -> Result<Self, String> {
            let parsed = Url::parse(url).map_err(|error| format!("no URL: {error}"))?;
            // Without the prefixes a variable called TOKEN or REGION would be taken for ours.
            let is_ours = |name: &String| {
                let prefixes = ["AWS_", "AZURE_", "GOOGLE_"];
                prefixes.iter().any(|prefix| name.starts_with(prefix))
            };
            let settings = std::env::vars_os().filter_map(|(name, value)| {
                Some((
                    name.into_string().ok().filter(is_ours)?,
                    value.into_string().ok()?,
                ))
            });
            let (store, path) = parse_url_opts(&parsed, settings)
                .map_err(|error| format!("this object store cannot be used: {error}"))?;
            let whole = url.trim_end_matches('/');
            let root = whole.strip_suffix(path.as_ref()).unwrap_or(whole);
            Ok(Self {
                store: store.into(),
                root: root.trim_end_matches('/').to_owned(),
                path,
                is_marked_folder: url.ends_with('/'),
            })
        }

        pub fn is_folder(&self) -> Result<bool> {
            if self.is_marked_folder || self.path.as_ref().is_empty() {
                return Ok(true);
            }
            if self.exists()? {
                return Ok(false);
            }
            let first = async { self.store.list(Some(&self.path)).try_next().await };
            let first = RUNTIME.block_on(first);
            Ok(first
                .with_context(|| format!("cannot list {self}"))?
                .is_some())
        }

        pub fn exists(&self) -> Result<bool> {
            match RUNTIME.block_on(self.store.head(&self.path)) {
                Ok(_) => Ok(true),
                Err(object_store::Error::NotFound { .. }) => Ok(false),
                Err(error) => Err(error).with_context(|| format!("cannot look for {self}")),
            }
        }

        pub fn is_same(&self, other: &Self) -> bool {
            (&self.root, &self.path) == (&other.root, &other.path)
        }

        pub fn join(&self, name: &str) -> Self {
            let path = name.split('/').fold(self.path.clone(), |p, n| p.join(n));
            Self {
                path,
                is_marked_folder: false,
                ..self.clone()
            }
        }

        pub fn list(&self, recursive: bool, skip: &[&Self]) -> Result<Vec<String>> {
            let prefix = Some(&self.path).filter(|path| !path.as_ref().is_empty());
            let list = async {
                if recursive {
                    self.store
                        .list(prefix)
                        .map_ok(|object| object.location)
                        .try_collect()
                        .await
                } else {
                    let found = self.store.list_with_delimiter(prefix).await?;
                    Ok(found
                        .objects
                        .into_iter()
                        .map(|o| o.location)
                        .collect::<Vec<_>>())
                }
            };
            let found: Vec<Path> =
                (RUNTIME.block_on(list)).with_context(|| format!("cannot list {self}"))?;
            let is_skipped = |path: &Path| {
                let mut skip = skip.iter().filter(|other| other.root == self.root);
                skip.any(|other| other.path != self.path && path.prefix_matches(&other.path))
            };
            let names = (found.iter())
                .filter(|path| !is_skipped(path))
                .filter_map(|path| {
                    let parts: Vec<_> = path.prefix_match(&self.path)?.collect();
                    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
                    let is_hidden = parts.iter().any(|part| part.starts_with('.'));
                    (!is_hidden).then(|| parts.join("/"))
                });
            Ok(names.collect())
        }

        pub fn read(&self) -> Result<Vec<u8>> {
            let read = async { self.store.get(&self.path).await?.bytes().await };
            match RUNTIME.block_on(read) {
                Ok(bytes) => Ok(bytes.into()),
                Err(object_store::Error::NotFound { .. }) => {
                    Err(anyhow!("{self} does not exist; check the URL"))
                }
                Err(error) => Err(error).with_context(|| format!("cannot read {self}")),
            }
        }

        pub fn write(&self, bytes: Vec<u8>) -> Result<()> {
            let payload = PutPayload::from(bytes);
            let extension = self.path.extension().unwrap_or_default();
            let mut attributes = Attributes::new();
            // A folder of this machine has no place for it and would refuse.
            if let Some(format) = format_of_extension(extension).filter(|_| !self.is_local()) {
                let content_type = inpaint_photo::content_type(format);
                attributes.insert(Attribute::ContentType, content_type.into());
            }
            let options = PutOptions::from(attributes);
            let write = self.store.put_opts(&self.path, payload, options);
            RUNTIME
                .block_on(write)
                .with_context(|| format!("cannot write {self}"))?;
            Ok(())
        }

        fn is_local(&self) -> bool {
            self.root.starts_with("file:")
        }
    }

    impl fmt::Display for Remote {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}/{}", self.root, self.path)
        }
    }
}

#[cfg(not(feature = "object-store"))]
mod without_stores {
    use anyhow::Result;
    use std::convert::Infallible;
    use std::fmt;

    /// Cannot exist in this build.
    #[derive(Debug, Clone)]
    pub struct Remote(Infallible);

    impl Remote {
        pub fn open(_: &str) -> Result<Self, String> {
            Err("this build cannot read object stores; \
                 build with `--features object-store`"
                .to_owned())
        }

        pub fn is_folder(&self) -> Result<bool> {
            match self.0 {}
        }

        pub fn exists(&self) -> Result<bool> {
            match self.0 {}
        }

        pub fn is_same(&self, _: &Self) -> bool {
            match self.0 {}
        }

        pub fn join(&self, _: &str) -> Self {
            match self.0 {}
        }

        pub fn list(&self, _: bool, _: &[&Self]) -> Result<Vec<String>> {
            match self.0 {}
        }

        pub fn read(&self) -> Result<Vec<u8>> {
            match self.0 {}
        }

        pub fn write(&self, _: Vec<u8>) -> Result<()> {
            match self.0 {}
        }
    }

    impl fmt::Display for Remote {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {}
        }
    }
}
