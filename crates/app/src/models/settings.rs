use std::{path::PathBuf, time::Duration};

use f5tts_service::storage::Secret;

/// Where RunPod keeps the models that an endpoint names, in the hub's layout.
const RUNPOD_CACHE: &str = "/runpod-volume/huggingface-cache/hub";

/// Where models are looked for and fetched from. Names are those of the Hugging Face tools.
#[derive(Clone, Debug)]
pub(crate) struct HubSettings {
    /// Looked at first, and where `get` puts files: a cache in the hub's layout, or directories of models.
    pub(crate) models_dir: Option<PathBuf>,
    /// `HF_HUB_CACHE`, the cache itself.
    pub(crate) hf_hub_cache: Option<PathBuf>,
    /// `HF_HOME`; the cache is `hub` in it.
    pub(crate) hf_home: Option<PathBuf>,
    /// `TRANSFORMERS_CACHE`, another cache in the same layout.
    pub(crate) transformers_cache: Option<PathBuf>,
    /// `XDG_CACHE_HOME`.
    pub(crate) xdg_cache_home: Option<PathBuf>,
    /// The home directory of the user.
    pub(crate) home: Option<PathBuf>,
    /// `HF_ENDPOINT`, without a slash at its end.
    pub(crate) hf_endpoint: String,
    /// `HF_TOKEN`.
    pub(crate) hf_token: Option<Secret>,
    /// `HF_HUB_OFFLINE`.
    pub(crate) hf_hub_offline: bool,
    /// How long the hub may take to answer, or to send the next bytes.
    pub(crate) request_timeout: Duration,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            models_dir: None,
            hf_hub_cache: None,
            hf_home: None,
            transformers_cache: None,
            xdg_cache_home: None,
            home: None,
            hf_endpoint: "https://huggingface.co".to_owned(),
            hf_token: None,
            hf_hub_offline: false,
            request_timeout: Duration::from_secs(30),
        }
    }
}

impl HubSettings {
    /// Where models are fetched to.
    pub(crate) fn cache_directory(&self) -> Option<PathBuf> {
        self.caches().into_iter().next()
    }

    /// The caches that are looked at, in this order. Files are fetched into the first.
    pub(super) fn caches(&self) -> Vec<PathBuf> {
        let home = self.home.as_ref().map(|home| home.join(".cache"));
        let default = self.xdg_cache_home.clone().or(home);
        let caches = [
            self.models_dir.clone(),
            self.hf_hub_cache.clone(),
            self.hf_home.as_ref().map(|home| home.join("hub")),
            self.transformers_cache.clone(),
            default.map(|cache| cache.join("huggingface/hub")),
        ];
        let mut distinct = Vec::new();
        for cache in caches.into_iter().flatten() {
            if !distinct.contains(&cache) {
                distinct.push(cache);
            }
        }
        // Never written to: the volume is shared between workers.
        if !distinct.is_empty() {
            distinct.push(PathBuf::from(RUNPOD_CACHE));
        }
        distinct
    }
}
