//! The sampler as a state machine: requests are admitted to the running batch, stepped together, and
//! leave when they are done. Speaking alone is a batch of one.

use std::{ops::Range, sync::Arc};

use f5tts_kernels::{Advance, Backend, Items};

use super::schedule::Schedule;
use crate::{
    MEL_CHANNELS,
    error::SampleError,
    model::{
        KernelResult,
        dit::{Batch, Branch, Dit, ModulationTable, Workspace},
    },
    stop::Stop,
};

/// What is to be sampled.
#[derive(Clone, Debug)]
pub struct SampleRequest {
    /// The known mel, zero where it is not known: (frames, 100).
    pub conditioning: Vec<f32>,
    /// Whether a frame is known and so is taken over as it is.
    pub known: Vec<bool>,
    /// Token ids of reference and text.
    pub text_ids: Vec<u32>,
    /// Standard normal noise: (frames, 100).
    pub noise: Vec<f32>,
    /// The evaluations to make.
    pub schedule: Schedule,
}

/// A request in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// A request that left the batch by itself.
#[derive(Debug)]
pub struct Sampled {
    /// Whose.
    pub ticket: Ticket,
    /// The mel, known frames included, as (frames, 100); or why there is none.
    pub mel: Result<Vec<f32>, SampleError>,
}

/// The running batch.
#[derive(Debug)]
pub struct Sampler<B: Backend> {
    dit: Arc<Dit<B>>,
    backend: Arc<B>,
    members: Vec<Member<B>>,
    layout: Option<Layout<B>>,
    /// Whether members came or went since the batch was laid out.
    changed: bool,
    tickets: u64,
}

#[derive(Debug)]
struct Member<B: Backend> {
    ticket: Ticket,
    request: SampleRequest,
    /// [`Dit::embed_condition`] of each branch; a single one without guidance.
    conditions: Vec<B::Tensor>,
    modulations: Arc<ModulationTable<B>>,
    /// Evaluations made.
    done: usize,
}

/// The batch as it lies on the device, until a request comes or goes.
#[derive(Debug)]
struct Layout<B: Backend> {
    /// Of each member: itself, its rows in the state, and its branches' items.
    places: Vec<Place>,
    /// One item a member and branch.
    branches: Items,
    condition: B::Tensor,
    modulations: B::Tensor,
    noised: B::Tensor,
    /// The states at the begin of the current step.
    base: B::Tensor,
    /// Where the network is evaluated: `base`, or the middle of a midpoint step.
    points: B::Tensor,
    moved: B::Tensor,
    workspace: Workspace<B>,
}

#[derive(Clone, Debug)]
struct Place {
    ticket: Ticket,
    state: Range<usize>,
    branches: Range<usize>,
}

impl<B: Backend> Sampler<B> {
    /// An empty batch.
    pub fn new(dit: &Arc<Dit<B>>, backend: &Arc<B>) -> Self {
        Self {
            dit: Arc::clone(dit),
            backend: Arc::clone(backend),
            members: Vec::new(),
            layout: None,
            changed: false,
            tickets: 0,
        }
    }

    /// Takes a request into the batch: embeds its text and audio, once for all evaluations.
    ///
    /// # Errors
    /// A fault of the device.
    pub fn admit(&mut self, request: SampleRequest) -> Result<Ticket, SampleError> {
        request.check()?;
        let mut branches = vec![Branch::Conditional];
        if request.schedule.guidance().is_some() {
            branches.push(Branch::Unconditional);
        }
        let conditions = branches
            .into_iter()
            .map(|branch| {
                self.dit
                    .embed_condition(&request.conditioning, &request.text_ids, branch)
            })
            .collect::<KernelResult<Vec<_>>>()?;
        let modulations = self.dit.modulations(&request.schedule.times())?;
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.members
            .push(Member { ticket, request, conditions, modulations, done: 0 });
        self.changed = true;
        Ok(ticket)
    }

    /// Drops a request, wherever it stands.
    pub fn leave(&mut self, ticket: Ticket) {
        self.members.retain(|member| member.ticket != ticket);
        self.changed = true;
    }

    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Makes the next evaluation of every request. Those that are done leave.
    ///
    /// # Errors
    /// A fault of the device, or a stop; the batch is then as it was before.
    pub fn step(&mut self, stop: &Stop) -> Result<Vec<Sampled>, SampleError> {
        if self.changed {
            self.rearrange()?;
        }
        let Some(layout) = &mut self.layout else {
            return Ok(Vec::new());
        };
        layout.prepare(&self.backend, &self.members)?;
        self.dit.forward(
            &Batch {
                items: &layout.branches,
                noised: &layout.noised,
                condition: &layout.condition,
                modulations: &layout.modulations,
            },
            &mut layout.workspace,
            stop,
        )?;
        layout.advance(&self.backend, &self.members)?;
        for member in &mut self.members {
            member.done += 1;
        }
        self.collect()
    }

    /// Where a request stands: (frames, 100); `None` if it is not in the batch.
    ///
    /// # Errors
    /// A fault of the device.
    pub fn state(&self, ticket: Ticket) -> Result<Option<Vec<f32>>, SampleError> {
        let Some(member) = self.members.iter().find(|member| member.ticket == ticket) else {
            return Ok(None);
        };
        let place = self
            .layout
            .as_ref()
            .and_then(|layout| Some((layout, layout.place(ticket)?)));
        let state = match place {
            Some((layout, place)) => layout.state(&self.backend, &place)?,
            // Not laid out yet.
            None => member.request.noise.clone(),
        };
        Ok(Some(state))
    }

    /// Takes out the members that are done or broken.
    fn collect(&mut self) -> Result<Vec<Sampled>, SampleError> {
        let Some(layout) = &self.layout else {
            return Ok(Vec::new());
        };
        let finite = self.backend.is_finite(&layout.points)?;
        let mut left = Vec::new();
        for (member, place) in self.members.iter().zip(&layout.places) {
            let done = member.done == member.request.schedule.evaluations().len();
            if finite && !done {
                continue;
            }
            let state = layout.state(&self.backend, place)?;
            if state.iter().any(|value| !value.is_finite()) {
                let mel = Err(SampleError::NotFinite { evaluation: member.done });
                left.push(Sampled { ticket: member.ticket, mel });
            } else if done {
                let mel = Ok(member.request.with_known_frames(state));
                left.push(Sampled { ticket: member.ticket, mel });
            }
        }
        if !left.is_empty() {
            self.members
                .retain(|member| left.iter().all(|gone| gone.ticket != member.ticket));
            self.changed = true;
        }
        if self.members.is_empty() {
            self.layout = None;
        }
        Ok(left)
    }

    /// Lays the present members out anew, each with the state that it has.
    fn rearrange(&mut self) -> KernelResult<()> {
        if self.members.is_empty() {
            self.layout = None;
            self.changed = false;
            return Ok(());
        }
        let previous = &self.layout;
        let mut layout = Layout::new(self.backend.as_ref(), &self.dit, &self.members)?;
        for (member, place) in self.members.iter().zip(&layout.places) {
            let (base, points) = (&mut layout.base, &mut layout.points);
            let before = previous
                .as_ref()
                .and_then(|layout| Some((layout, layout.place(place.ticket)?)));
            if let Some((old, from)) = before {
                self.backend
                    .copy_rows(&old.base, from.state.clone(), place.state.start, base)?;
                self.backend
                    .copy_rows(&old.points, from.state, place.state.start, points)?;
            } else {
                let noise = self.backend.upload(&member.request.noise, MEL_CHANNELS)?;
                self.backend
                    .copy_rows(&noise, 0..place.state.len(), place.state.start, base)?;
                self.backend
                    .copy_rows(&noise, 0..place.state.len(), place.state.start, points)?;
            }
        }
        self.layout = Some(layout);
        self.changed = false;
        Ok(())
    }
}

impl<B: Backend> Layout<B> {
    fn new(backend: &B, dit: &Dit<B>, members: &[Member<B>]) -> KernelResult<Self> {
        let places = Place::of(members);
        let rows = places.last().map_or(0, |place| place.state.end);
        let branches = Items::new(members.iter().flat_map(|member| {
            std::iter::repeat_n(member.request.frames(), member.conditions.len())
        }));
        let mut condition = backend.zeros(branches.rows(), dit.config().dim)?;
        let all = members.iter().flat_map(|member| &member.conditions);
        for (range, tensor) in branches.iter().zip(all) {
            backend.copy_rows(tensor, 0..range.len(), range.start, &mut condition)?;
        }
        let columns = members
            .first()
            .map_or(0, |member| backend.shape(&member.modulations.rows).1);
        Ok(Self {
            condition,
            modulations: backend.zeros(branches.len(), columns)?,
            noised: backend.zeros(branches.rows(), MEL_CHANNELS)?,
            base: backend.zeros(rows, MEL_CHANNELS)?,
            points: backend.zeros(rows, MEL_CHANNELS)?,
            moved: backend.zeros(rows, MEL_CHANNELS)?,
            workspace: dit.workspace(&branches)?,
            places,
            branches,
        })
    }

    fn place(&self, ticket: Ticket) -> Option<Place> {
        self.places
            .iter()
            .find(|place| place.ticket == ticket)
            .cloned()
    }

    /// Fills in what changes from evaluation to evaluation.
    fn prepare(&mut self, backend: &B, members: &[Member<B>]) -> KernelResult<()> {
        for (member, place) in members.iter().zip(&self.places) {
            let row = member.done..member.done + 1;
            for item in place.branches.clone() {
                backend.copy_rows(
                    &member.modulations.rows,
                    row.clone(),
                    item,
                    &mut self.modulations,
                )?;
                let to = self.branches.range(item).start;
                backend.copy_rows(&self.points, place.state.clone(), to, &mut self.noised)?;
            }
        }
        Ok(())
    }

    /// Moves every state along the velocity of its branches.
    fn advance(&mut self, backend: &B, members: &[Member<B>]) -> KernelResult<()> {
        let evaluations = || {
            members
                .iter()
                .map(|member| member.request.schedule.evaluations()[member.done])
        };
        let advances: Vec<Advance> = members
            .iter()
            .zip(&self.places)
            .zip(evaluations())
            .map(|((member, place), evaluation)| {
                let start = |item| self.branches.range(item).start;
                let guidance = member.request.schedule.guidance();
                Advance {
                    state: place.state.clone(),
                    conditional: start(place.branches.start),
                    unconditional: guidance.map(|_| start(place.branches.start + 1)),
                    guidance: guidance.unwrap_or_default(),
                    step: evaluation.step,
                }
            })
            .collect();
        backend.advance(&self.base, &self.workspace.velocity, &advances, &mut self.moved)?;
        for (place, evaluation) in self.places.iter().zip(evaluations()) {
            let (rows, to) = (place.state.clone(), place.state.start);
            backend.copy_rows(&self.moved, rows.clone(), to, &mut self.points)?;
            if evaluation.completes {
                backend.copy_rows(&self.moved, rows, to, &mut self.base)?;
            }
        }
        Ok(())
    }

    fn state(&self, backend: &B, place: &Place) -> KernelResult<Vec<f32>> {
        let mut rows = backend.zeros(place.state.len(), MEL_CHANNELS)?;
        backend.copy_rows(&self.points, place.state.clone(), 0, &mut rows)?;
        backend.download(&rows)
    }
}

impl Place {
    fn of<B: Backend>(members: &[Member<B>]) -> Vec<Self> {
        let (mut row, mut item) = (0, 0);
        let place = |member: &Member<B>| {
            let (first_row, first_item) = (row, item);
            row += member.request.frames();
            item += member.conditions.len();
            Self {
                ticket: member.ticket,
                state: first_row..row,
                branches: first_item..item,
            }
        };
        members.iter().map(place).collect()
    }
}

impl SampleRequest {
    /// Reference and generated frames together.
    pub fn frames(&self) -> usize {
        self.known.len()
    }

    fn check(&self) -> Result<(), SampleError> {
        let values = self.frames() * MEL_CHANNELS;
        let steps = self.schedule.evaluations().len();
        for (what, values, expected) in [
            ("noise", self.noise.len(), values),
            ("conditioning", self.conditioning.len(), values),
            ("schedule", steps, steps.max(1)),
        ] {
            if values != expected {
                return Err(SampleError::Request { what, values, expected });
            }
        }
        Ok(())
    }

    /// Puts the known frames in the place of the sampled ones.
    fn with_known_frames(&self, mut mel: Vec<f32>) -> Vec<f32> {
        let sampled = mel.chunks_exact_mut(MEL_CHANNELS);
        let given = self.conditioning.chunks_exact(MEL_CHANNELS);
        for ((sampled, given), &known) in sampled.zip(given).zip(&self.known) {
            if known {
                sampled.copy_from_slice(given);
            }
        }
        mel
    }
}
