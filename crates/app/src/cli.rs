//! The commands and their arguments. What can be set elsewhere, too, is in [`crate::config`].

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, builder::BoolishValueParser};
use clap_complete::Shell;
use runpod_worker::LogLevel;

use crate::{
    assembly,
    config::{
        DefaultVoice, HubSettings, JobSettings, ModelSettings, NetworkSettings, OutputSettings,
        PlatformSettings, SpeechSettings, StoreSettings, TranscriptionSettings, VoiceSettings,
    },
    failure::EXIT_CODES,
    pages::Page,
};

/// Text to speech with a cloned voice.
#[derive(Debug, Parser)]
#[command(
    name = "f5tts",
    version,
    max_term_width = 100,
    after_long_help = ABOUT_SETTINGS,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// The configuration file [default: f5tts/config.toml in `$XDG_CONFIG_HOME` or ~/.config]
    #[arg(long, global = true, env = "F5TTS_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Speak a text into a file
    Say(Box<SayArguments>),
    /// Find when each word is spoken in a recording
    Align(AlignArguments),
    /// Write down what is said in a recording, as far as a voice is made of it
    Transcribe(TranscribeArguments),
    /// Work for RunPod Serverless, or serve its API on this machine
    Worker(Box<WorkerArguments>),
    /// Add, list, check and remove voices
    Voices(Box<VoicesArguments>),
    /// Do a job of the contract without any server
    Job(Box<JobArguments>),
    /// List, show, cancel and remove jobs
    Jobs(Box<JobsArguments>),
    /// List, fetch and check models
    Models(ModelsArguments),
    /// Try everything that the service needs, and say what to do
    #[command(after_long_help = DOCTOR_EXAMPLES)]
    Doctor(Box<DoctorArguments>),
    /// Show every setting, its value and where it comes from
    Config(ConfigArguments),
    /// Measure speed and memory on this machine
    Bench(BenchArguments),
    /// Print completions for a shell
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Print a page of the documentation
    #[command(hide = true)]
    Page {
        /// Which page
        page: Page,
    },
}

/// What `say` is given.
#[derive(Args, Debug)]
#[command(
    args_override_self = true,
    after_long_help = format!("{SAY_EXAMPLES}\n\n{EXIT_CODES}"),
    group = ArgGroup::new("source").required(true).args(["text", "file"])
)]
pub(crate) struct SayArguments {
    /// What to say; `-` reads it from standard input
    pub(crate) text: Option<String>,

    /// Read the text from a file, in UTF-8
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Where the speech goes; `-` is standard output
    ///
    /// A file that exists is replaced in one step once all is done, and left as it is otherwise.
    #[arg(short, long, value_name = "OUT", help_heading = "Output")]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) format: OutputSettings,

    /// Print what was done as one JSON object on standard output
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    /// Write when each word is spoken: out.srt, .vtt, .ass, .csv or .json; may be repeated
    ///
    /// Times are measured on the speech. Where it does not hold the text, there are none: the speech
    /// is written, no timing file is, and the exit code is 1.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) timings: Vec<PathBuf>,

    /// Draw the spectrogram of the speech, with the words below
    #[arg(long, value_name = "PNG", help_heading = "Output")]
    pub(crate) spectrogram: Option<PathBuf>,

    /// Write the result of every stage as a safetensors file
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) dump_stages: Option<PathBuf>,

    /// Show no progress and no closing line, just warnings and errors
    #[arg(
        short,
        long,
        env = "F5TTS_QUIET",
        value_parser = BoolishValueParser::new(),
        help_heading = "Output"
    )]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) voice: VoiceSettings,
    #[command(flatten)]
    pub(crate) transcription: TranscriptionSettings,
    #[command(flatten)]
    pub(crate) speech: SpeechSettings,
    #[command(flatten)]
    pub(crate) model: ModelSettings,
    #[command(flatten)]
    pub(crate) hub: HubSettings,
}

/// The settings of the service.
#[derive(Args, Debug)]
pub(crate) struct ServiceArguments {
    #[command(flatten)]
    pub(crate) store: StoreSettings,
    #[command(flatten)]
    pub(crate) jobs: JobSettings,
    #[command(flatten)]
    pub(crate) voice: DefaultVoice,
    #[command(flatten)]
    pub(crate) transcription: TranscriptionSettings,
    #[command(flatten)]
    pub(crate) model: ModelSettings,
    #[command(flatten)]
    pub(crate) hub: HubSettings,
}

impl ServiceArguments {
    /// The same, for those who put a service together.
    pub(crate) const fn settings(&self) -> assembly::Settings<'_> {
        assembly::Settings {
            store: &self.store,
            jobs: &self.jobs,
            voice: &self.voice,
            transcription: &self.transcription,
            model: &self.model,
            hub: &self.hub,
        }
    }
}

/// What `worker` is given.
#[derive(Args, Debug)]
#[command(after_long_help = WORKER_EXAMPLES)]
pub(crate) struct WorkerArguments {
    /// Serve RunPod's API on this machine, with a queue that runs
    #[arg(long, alias = "rp_serve_api", help_heading = "Platform")]
    pub(crate) serve_api: bool,
    /// Where that API listens
    #[arg(
        long,
        alias = "rp_api_host",
        value_name = "HOST",
        default_value = "localhost",
        help_heading = "Platform"
    )]
    pub(crate) api_host: String,
    /// Its port
    #[arg(
        long,
        alias = "rp_api_port",
        value_name = "PORT",
        default_value = "8000",
        help_heading = "Platform"
    )]
    pub(crate) api_port: u16,
    /// Do one job and print its result: a file with `{"input": {…}}`, `-` for standard input, or the JSON itself
    #[arg(
        long,
        alias = "test_input",
        value_name = "FILE|JSON",
        conflicts_with = "serve_api",
        help_heading = "Platform"
    )]
    pub(crate) test_input: Option<String>,
    /// The least important lines that are logged: `debug`, `info`, `warn` or `error`
    #[arg(long, alias = "rp_log_level", value_name = "LEVEL", value_parser = log_level, help_heading = "Platform")]
    pub(crate) log_level: Option<LogLevel>,
    #[command(flatten)]
    pub(crate) platform: PlatformSettings,
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
}

fn log_level(word: &str) -> Result<LogLevel, String> {
    LogLevel::parse(word).ok_or_else(|| "allowed are debug, info, warn and error".to_owned())
}

/// What `voices` is given.
#[derive(Args, Debug)]
#[command(after_long_help = VOICES_EXAMPLES)]
pub(crate) struct VoicesArguments {
    #[command(subcommand)]
    pub(crate) action: VoicesAction,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
}

/// What to do with voices.
#[derive(Debug, Subcommand)]
pub(crate) enum VoicesAction {
    /// Check a recording and store it as a voice
    Add(VoicesAddArguments),
    /// List the voices of the store and of this program
    List,
    /// Show what the check of a voice found when it was stored
    Show {
        /// The voice
        voice: String,
    },
    /// Check a recording or a voice, and say what would make it better
    Check {
        /// A file, or the name of a voice
        voice: String,
        /// What is said in the recording, word for word
        #[arg(long, id = "check_ref_text", value_name = "TEXT")]
        ref_text: Option<String>,
    },
    /// Remove a voice
    Rm {
        /// The voice
        voice: String,
    },
}

/// What `voices add` is given.
#[derive(Args, Debug)]
pub(crate) struct VoicesAddArguments {
    /// A recording of 3 to 12 seconds of one person's speech
    pub(crate) recording: PathBuf,
    /// What the voice is called [default: the name of the file]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What is said in the recording, word for word [default: the text file of the same name beside it]
    ///
    /// Where there is none, the recogniser of `--asr-model` writes it down.
    #[arg(
        long,
        id = "add_ref_text",
        value_name = "TEXT",
        conflicts_with = "ref_file"
    )]
    pub(crate) ref_text: Option<String>,
    /// A file with what is said in the recording
    #[arg(long, value_name = "FILE")]
    pub(crate) ref_file: Option<PathBuf>,
}

/// What `job` is given.
#[derive(Args, Debug)]
pub(crate) struct JobArguments {
    #[command(subcommand)]
    pub(crate) action: JobAction,
}

/// What to do with a job.
#[derive(Debug, Subcommand)]
pub(crate) enum JobAction {
    /// Do a job and print its answer as JSON
    #[command(after_long_help = JOB_EXAMPLES)]
    Run(JobRunArguments),
}

/// What `job run` is given.
#[derive(Args, Debug)]
pub(crate) struct JobRunArguments {
    /// A file with `{"input": {…}}`, `-` for standard input, or the JSON itself
    #[arg(value_name = "FILE|JSON")]
    pub(crate) job: String,
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
}

/// What `jobs` is given.
#[derive(Args, Debug)]
pub(crate) struct JobsArguments {
    #[command(subcommand)]
    pub(crate) action: JobsAction,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) store: StoreSettings,
    #[command(flatten)]
    pub(crate) network: NetworkSettings,
}

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsAction {
    /// List all jobs of the store, the oldest first
    List,
    /// Show what a job was to do and what happened last, as JSON
    Show {
        /// The job
        job: String,
    },
    /// Stop a job, wherever it runs
    Cancel {
        /// The job
        job: String,
    },
    /// Remove jobs and outputs that are older than `JOB_RETENTION_DAYS`
    Gc {
        #[command(flatten)]
        jobs: JobSettings,
    },
}

/// What `doctor` is given.
#[derive(Args, Debug)]
pub(crate) struct DoctorArguments {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
}

/// What `config` is given.
#[derive(Args, Debug)]
pub(crate) struct ConfigArguments {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `align` is given.
#[derive(Args, Debug)]
#[command(
    after_long_help = format!("{ALIGN_EXAMPLES}\n\n{EXIT_CODES}"),
    group = ArgGroup::new("said").required(true).args(["text", "file"])
)]
pub(crate) struct AlignArguments {
    /// The recording: WAV, FLAC, MP3, Opus, …, of at most ten minutes
    pub(crate) audio: PathBuf,

    /// What is said in it; `-` reads it from standard input
    #[arg(long)]
    pub(crate) text: Option<String>,

    /// Read the text from a file, in UTF-8
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Write the times: out.srt, .vtt, .ass, .csv or .json; may be repeated
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Draw the spectrogram of the recording, with the words below
    #[arg(long, value_name = "PNG")]
    pub(crate) spectrogram: Option<PathBuf>,
}

/// What `transcribe` is given.
#[derive(Args, Debug)]
#[command(after_long_help = format!("{TRANSCRIBE_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct TranscribeArguments {
    /// The recording: of one that is long, the first 12 seconds of speech are heard
    pub(crate) audio: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) transcription: TranscriptionSettings,
    #[command(flatten)]
    pub(crate) hub: HubSettings,
}

/// What `models` is given.
#[derive(Args, Debug)]
pub(crate) struct ModelsArguments {
    #[command(subcommand)]
    pub(crate) action: ModelsAction,
}

/// What to do with models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsAction {
    /// List the models that are known by name, and whether they are here
    List(ModelsListArguments),
    /// Fetch a model from the hub into the cache that the Hugging Face tools use
    #[command(after_long_help = MODELS_GET_EXAMPLES)]
    Get(NamedModelArguments),
    /// Print where the files of a model are
    Path(NamedModelArguments),
    /// Compare the files of a model with their known checksums
    Verify(NamedModelArguments),
}

/// What `models list` is given.
#[derive(Args, Debug)]
pub(crate) struct ModelsListArguments {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) hub: HubSettings,
}

/// What a command about one model is given.
#[derive(Args, Debug)]
pub(crate) struct NamedModelArguments {
    /// A name of `f5tts models list`, or the repository of a Whisper model such as `openai/whisper-small`
    pub(crate) name: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) hub: HubSettings,
}

/// What `bench` is given.
#[derive(Args, Debug)]
#[command(args_override_self = true, after_long_help = BENCH_EXAMPLES)]
pub(crate) struct BenchArguments {
    /// Mel frames, reference included; 94 make a second
    #[arg(long, default_value = "500", value_parser = clap::value_parser!(u16).range(16..=2812))]
    pub(crate) frames: u16,

    /// How often everything is measured
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) repeat: u8,

    /// Steps that the real-time factor is stated for [default: those of the model]
    #[arg(long, alias = "nfe", value_name = "STEPS", id = "bench_nfe_step", value_parser = clap::value_parser!(u32).range(1..=128))]
    pub(crate) nfe_step: Option<u32>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) model: ModelSettings,
    #[command(flatten)]
    pub(crate) hub: HubSettings,
}

const ABOUT_SETTINGS: &str =
    "Every setting may stand on the command line, in the environment or in the configuration file;
the first of these counts. In the file, `--nfe-step 16` is written `nfe_step = 16`.

  f5tts say \"Hello from f5tts.\" -o hello.wav
  f5tts models get F5TTS_v1_Base
  f5tts help say";

const SAY_EXAMPLES: &str = "Examples:
  The small demonstration model in this program, with one of its voices
    f5tts say \"Hello from f5tts.\" --voice rms -o hello.wav

  A voice of your own, once `f5tts models get F5TTS_v1_Base` has fetched a real model
    f5tts say \"Anything.\" --voice anna.wav --ref-text \"What Anna says in it.\" -o anything.wav

  A long text, fast
    f5tts say --file story.txt --quality fast -o story.mp3

  The same speech as last time, and what was done as JSON
    f5tts say \"Once more.\" --seed 7 --json -o again.flac

  A dialogue
    f5tts say \"[slt] Who is there? [rms] Nobody.\" --multi-voice -o dialogue.wav

  With subtitles
    f5tts say --file story.txt -o story.mp3 --timings story.srt --timings story.vtt

  In a pipeline
    echo \"To a player.\" | f5tts say - -o - | aplay";

const WORKER_EXAMPLES: &str = "Examples:
  RunPod's API on this machine
    f5tts worker --serve-api
    curl localhost:8000/runsync -d '{\"input\": {\"text\": \"Hello.\"}}'

  One job, as a test
    f5tts worker --test-input '{\"input\": {\"text\": \"Hello.\"}}'

  In a container on RunPod, which sets the rest
    S3_BUCKET=speech AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… f5tts worker";

const VOICES_EXAMPLES: &str = "Examples:
  f5tts voices add anna.wav --ref-text \"What Anna says in it.\"
  f5tts voices check anna.wav
  f5tts say \"Hello.\" --voice anna -o hello.wav";

const JOB_EXAMPLES: &str = "Examples:
  f5tts job run '{\"input\": {\"text\": \"Hello.\"}}'
  f5tts job run job.json --data-dir ./data
  f5tts job run '{\"input\": {\"endpoint\": \"list_voices\"}}'";

const DOCTOR_EXAMPLES: &str = "Examples:
  f5tts doctor
  S3_BUCKET=speech AWS_ENDPOINT_URL=http://localhost:9000 f5tts doctor --json";

const ALIGN_EXAMPLES: &str = "Examples:
  f5tts align lecture.mp3 --file lecture.txt -o lecture.vtt
  f5tts align anna.wav --text \"What Anna says in it.\"
  f5tts align anna.wav --text \"What Anna says in it.\" --json --spectrogram anna.png";

const TRANSCRIBE_EXAMPLES: &str = "Examples:
  f5tts transcribe anna.wav > anna.txt
  f5tts transcribe anna.wav --asr-model openai/whisper-small --json";

const MODELS_GET_EXAMPLES: &str = "Examples:
  f5tts models get F5TTS_v1_Base
  f5tts models get openai/whisper-large-v3-turbo
  HF_ENDPOINT=https://mirror.example f5tts models get F5TTS_v1_Base";

const BENCH_EXAMPLES: &str = "Examples:
  f5tts bench
  f5tts bench --model F5TTS_v1_Base --frames 1000 --repeat 3 --json";

const COMPLETIONS_EXAMPLES: &str = "Examples:
  f5tts completions bash > ~/.local/share/bash-completion/completions/f5tts
  f5tts completions zsh > ~/.zfunc/_f5tts
  f5tts completions fish > ~/.config/fish/completions/f5tts.fish";
