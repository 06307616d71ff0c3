use std::{fmt, sync::Arc};

use router::Failure;
use sha2::{Digest as _, Sha256};
use wasmtime::component::{
    ComponentExportIndex, InstancePre,
    types::{Component as ComponentType, ComponentItem, Type},
};

use crate::{
    CompileError, Engine, Fair, Host, Lanes, Limits, Quota,
    imports::OFFERED,
    instance::{Instance, NotStarted},
    state::State,
};

/// An app's compiled code, checked against the world. Cheap to clone; of one [`Engine`].
#[derive(Clone)]
pub struct Component(Arc<Inner>);

struct Inner {
    engine: Engine,
    pre: InstancePre<State>,
    functions: Functions,
    digest: Digest,
}

/// SHA-256 of a component's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// Which of the optional handlers a component exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one of the WIT's interfaces, there or not"
)]
pub struct Exports {
    pub acks: bool,
    pub timers: bool,
    pub push: bool,
    /// Without it a socket's state is kept as another version wrote it.
    pub migrate: bool,
}

/// Where the handlers are in the component.
#[derive(Clone, Copy)]
pub(crate) struct Functions {
    pub(crate) connect: ComponentExportIndex,
    pub(crate) event: ComponentExportIndex,
    pub(crate) disconnect: ComponentExportIndex,
    pub(crate) ack: Option<ComponentExportIndex>,
    pub(crate) timer: Option<ComponentExportIndex>,
    pub(crate) push: Option<ComponentExportIndex>,
    pub(crate) migrate: Option<ComponentExportIndex>,
}

const HANDLER: &str = "wakeline:app/handler@0.1.0";
const ACKS_HANDLER: &str = "wakeline:app/acks-handler@0.1.0";
const TIMERS_HANDLER: &str = "wakeline:app/timers-handler@0.1.0";
const PUSH_HANDLER: &str = "wakeline:app/push-handler@0.1.0";
/// Name, id and payload.
const TIMER_PARAMETERS: usize = 3;
const MIGRATION_HANDLER: &str = "wakeline:app/migration-handler@0.1.0";

impl Component {
    /// Checks that compiled code is of the world, and links it.
    pub(crate) fn link(
        engine: &Engine,
        code: &wasmtime::component::Component,
        digest: Digest,
    ) -> Result<Self, CompileError> {
        check_imports(engine, &code.component_type())?;
        let functions = find_functions(engine, code)?;
        let pre = engine.linker().instantiate_pre(code);
        let pre = pre.map_err(|error| CompileError::Mismatch(format!("{error:#}")))?;
        Ok(Self(Arc::new(Inner {
            engine: engine.clone(),
            pre,
            functions,
            digest,
        })))
    }

    pub fn exports(&self) -> Exports {
        let functions = &self.0.functions;
        Exports {
            acks: functions.ack.is_some(),
            timers: functions.timer.is_some(),
            push: functions.push.is_some(),
            migrate: functions.migrate.is_some(),
        }
    }

    /// Names the bytes it was compiled from.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Bytes of machine code and data that are mapped while it is in memory; all clones share them.
    pub fn code_bytes(&self) -> u64 {
        let range = self.0.pre.component().image_range();
        (range.end as u64).saturating_sub(range.start as u64)
    }

    /// Makes an instance and drops it: whether the guest's start code runs within `limits`.
    pub async fn try_start(&self, host: Arc<dyn Host>, limits: &Limits) -> Result<(), Failure> {
        let limits = Arc::new(limits.clone());
        // It concerns no other app: whoever checks a component has a core's turns to itself.
        let seat = Fair::new(1, &Lanes::new(1)).seat(&Arc::new(Quota::new(Arc::default())));
        match Instance::start(self, host, &limits, &seat).await {
            Ok(_) => Ok(()),
            Err(NotStarted::PoolFull(failure) | NotStarted::Failed(failure)) => Err(failure),
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn pre(&self) -> &InstancePre<State> {
        &self.0.pre
    }

    pub(crate) fn functions(&self) -> Functions {
        self.0.functions
    }
}

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// Lower-case hex.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Refuses an import that is not offered, by name: the linker's own words name it only deep inside.
fn check_imports(engine: &Engine, ty: &ComponentType) -> Result<(), CompileError> {
    for (name, _) in ty.imports(engine.wasm()) {
        if !is_offered(name) {
            let offered = OFFERED.join(", ");
            return Err(CompileError::Import {
                name: name.to_owned(),
                offered,
            });
        }
    }
    Ok(())
}

fn is_offered(name: &str) -> bool {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let (package, interface) = interface.split_once('/').unwrap_or((interface, ""));
    match package {
        "wakeline:app" => matches!(interface, "types" | "sockets" | "timers") && version == "0.1.0",
        "wasi:keyvalue" => matches!(interface, "store" | "atomics") && version == "0.2.0-draft",
        "wasi:config" => interface == "store" && version == "0.2.0-rc.1",
        "wasi:logging" => interface == "logging" && version == "0.1.0-draft",
        "wasi:http" => matches!(interface, "types" | "outgoing-handler") && version.starts_with("0.2."),
        // Which of their interfaces and functions there are is for the linker to say.
        "wasi:clocks" | "wasi:random" | "wasi:io" | "wasi:cli" | "wasi:filesystem" | "wasi:sockets" => {
            version.starts_with("0.2.")
        }
        _ => false,
    }
}

fn find_functions(engine: &Engine, code: &wasmtime::component::Component) -> Result<Functions, CompileError> {
    let find = |interface: &'static str, function: &'static str| {
        let (_, inside) = code.get_export(None, interface)?;
        match code.get_export(Some(&inside), function) {
            Some((ComponentItem::ComponentFunc(_), index)) => Some(index),
            _ => None,
        }
    };
    let need = |function: &'static str| {
        find(HANDLER, function).ok_or_else(|| {
            let exported: Vec<_> = code
                .component_type()
                .exports(engine.wasm())
                .map(|(name, _)| name.to_owned())
                .collect();
            let exported = if exported.is_empty() {
                "nothing".to_owned()
            } else {
                exported.join(", ")
            };
            CompileError::Export {
                missing: format!("{HANDLER}#{function}"),
                exported,
            }
        })
    };
    let need_socket = |function: &'static str| {
        let index = need(function)?;
        if takes_socket(code, HANDLER, function) {
            Ok(index)
        } else {
            Err(other_version(function))
        }
    };
    let find_socket = |interface, function| match find(interface, function) {
        Some(_) if !takes_socket(code, interface, function) => Err(other_version(function)),
        found => Ok(found),
    };
    let timer = find(TIMERS_HANDLER, "handle-timer");
    if timer.is_some() && parameters(code, TIMERS_HANDLER, "handle-timer").len() != TIMER_PARAMETERS {
        return Err(other_version("handle-timer"));
    }
    let (connect, event) = (need_socket("handle-connect")?, need_socket("handle-event")?);
    if !takes_token(code, HANDLER, "handle-event") {
        return Err(other_version("handle-event"));
    }
    Ok(Functions {
        connect,
        event,
        disconnect: need_socket("handle-disconnect")?,
        ack: find_socket(ACKS_HANDLER, "handle-ack")?,
        timer,
        push: find(PUSH_HANDLER, "handle-push"),
        migrate: find_socket(MIGRATION_HANDLER, "migrate")?,
    })
}

/// Whether a function's first parameter is a record, as `socket` is. Linking does not look at types: without this, a
/// component built against another version of the WIT would pass here and trap at its first call.
fn takes_socket(code: &wasmtime::component::Component, interface: &str, function: &str) -> bool {
    matches!(
        parameters(code, interface, function).first(),
        Some(Type::Record(_))
    )
}

/// Whether a function's last parameter is a number that may be missing, as `ack-token` is.
fn takes_token(code: &wasmtime::component::Component, interface: &str, function: &str) -> bool {
    matches!(
        parameters(code, interface, function).last(),
        Some(Type::Option(token)) if token.ty() == Type::U32
    )
}

fn parameters(code: &wasmtime::component::Component, interface: &str, function: &str) -> Vec<Type> {
    let inside = code.get_export(None, interface);
    let found = inside.and_then(|(_, inside)| code.get_export(Some(&inside), function));
    match found {
        Some((ComponentItem::ComponentFunc(found), _)) => found.params().map(|(_, ty)| ty).collect(),
        _ => Vec::new(),
    }
}

fn other_version(function: &str) -> CompileError {
    CompileError::Mismatch(format!(
        "{function} takes other parameters than here; the component was built against another version of \
         wakeline:app, build it anew with this version's SDK"
    ))
}
