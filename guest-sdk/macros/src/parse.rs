use std::collections::HashSet;

use proc_macro2::Span;
use syn::{
    Attribute, Error, FnArg, ImplItem, ImplItemFn, ItemImpl, LitStr, Meta, Pat, Result, ReturnType, Token,
    Type,
    parse::{Parse, ParseStream},
    spanned::Spanned,
};

/// A function that is called when something happens.
pub(crate) struct Route {
    pub(crate) function: syn::Ident,
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<LitStr>,
    pub(crate) parameters: Vec<Parameter>,
    /// Whether it answers `Result<()>`: a value other than that is the client's ack.
    pub(crate) returns_unit: bool,
    pub(crate) span: Span,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Kind {
    Connect,
    On(LitStr),
    Fallback,
    Disconnect,
    /// Of a token, or of any other.
    OnAck(Option<LitStr>),
    /// Of a name, or of any other.
    Timer(Option<LitStr>),
    /// Of a topic, or of any other.
    Push(Option<LitStr>),
    Migrate,
}

/// What a parameter is, by the name of its type.
pub(crate) struct Parameter {
    pub(crate) what: What,
    pub(crate) name: String,
    pub(crate) ty: Type,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum What {
    Socket,
    Handshake,
    Event,
    Ack,
    Reason,
    Answer,
    Timer,
    Push,
    Migration,
    /// `&str`: a token for `#[on_ack]`.
    Str,
    Argument,
}

const NAMES: [&str; 8] = [
    "connect",
    "on",
    "fallback",
    "disconnect",
    "on_ack",
    "timer",
    "push",
    "migrate",
];

/// Names that Socket.IO keeps for itself: a client cannot emit them.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// Takes the attributes off the functions and says what they mean.
pub(crate) fn routes(item: &mut ItemImpl) -> Result<Vec<Route>> {
    if let Some((_, path, _)) = &item.trait_ {
        let message = "#[handler] goes on an `impl` block without a trait; to implement `Handler` yourself, leave the \
                       attribute out and write `wakeline_sdk::export!(YourType);`";
        return Err(Error::new_spanned(path, message));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a handler cannot be generic: the host could not choose a type",
        ));
    }
    let mut routes = Vec::new();
    let mut first_error: Option<Error> = None;
    for item in &mut item.items {
        let ImplItem::Fn(function) = item else { continue };
        match route(function) {
            Ok(route) => routes.extend(route),
            Err(error) => match &mut first_error {
                Some(errors) => errors.combine(error),
                None => first_error = Some(error),
            },
        }
    }
    match first_error {
        Some(error) => Err(error),
        None => unique(&routes).map(|()| routes),
    }
}

fn route(function: &mut ImplItemFn) -> Result<Option<Route>> {
    let ours = |attribute: &Attribute| NAMES.iter().any(|name| attribute.path().is_ident(name));
    let (mine, others): (Vec<_>, Vec<_>) = function.attrs.drain(..).partition(ours);
    function.attrs = others;
    let mut mine = mine.into_iter();
    let Some(attribute) = mine.next() else {
        return Ok(None);
    };
    if let Some(second) = mine.next() {
        return Err(Error::new_spanned(
            second,
            "one attribute a function: write a second function that calls this one",
        ));
    }
    let (kind, namespace) = kind(&attribute)?;
    if let Some(asyncness) = function.sig.asyncness {
        return Err(Error::new(
            asyncness.span(),
            "handlers are not async: a call does its work and returns",
        ));
    }
    let parameters = function
        .sig
        .inputs
        .iter()
        .map(parameter)
        .collect::<Result<Vec<_>>>()?;
    for parameter in &parameters {
        check(&kind, parameter)?;
    }
    let has = |what| parameters.iter().any(|parameter| parameter.what == what);
    if matches!(kind, Kind::On(_)) && has(What::Event) && has(What::Argument) {
        return Err(Error::new(
            function.sig.inputs.span(),
            "take the event's arguments, or the Event, not both",
        ));
    }
    let returns_unit = returns_unit(&function.sig.output)?;
    if kind == Kind::Migrate && returns_unit {
        let message = "#[migrate] answers `Result<T>`: `T` is the new state";
        return Err(Error::new(function.sig.output.span(), message));
    }
    Ok(Some(Route {
        function: function.sig.ident.clone(),
        kind,
        namespace,
        parameters,
        returns_unit,
        span: attribute.span(),
    }))
}

/// `("name", namespace = "/x")`, both optional here.
#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    namespace: Option<LitStr>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            if input.peek(LitStr) && options.name.is_none() {
                options.name = Some(input.parse()?);
            } else {
                let key: syn::Ident = input.parse()?;
                if key != "namespace" {
                    return Err(Error::new(
                        key.span(),
                        "expected a name in quotes, or `namespace = \"/…\"`",
                    ));
                }
                input.parse::<Token![=]>()?;
                options.namespace = Some(input.parse()?);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn kind(attribute: &Attribute) -> Result<(Kind, Option<LitStr>)> {
    let options = match &attribute.meta {
        Meta::Path(_) => Options::default(),
        _ => attribute.parse_args::<Options>()?,
    };
    let Options { name, namespace } = options;
    let error = |message: &str| Err(Error::new_spanned(attribute, message));
    let is = |word| attribute.path().is_ident(word);
    let kind = match name {
        Some(name) if is("on") && RESERVED.contains(&name.value().as_str()) => {
            let message = format!(
                "Socket.IO keeps \"{}\" for itself; use #[connect] or #[disconnect]",
                name.value()
            );
            return Err(Error::new_spanned(name, message));
        }
        Some(name) if is("on") => Kind::On(name),
        None if is("on") => {
            return error("which event? write #[on(\"name\")], or #[fallback] for all others");
        }
        name if is("on_ack") => Kind::OnAck(name),
        name if is("timer") => Kind::Timer(name),
        name if is("push") => Kind::Push(name),
        Some(name) => return Err(Error::new_spanned(name, "this attribute takes no name")),
        None if is("connect") => Kind::Connect,
        None if is("disconnect") => Kind::Disconnect,
        None if is("migrate") => Kind::Migrate,
        None => Kind::Fallback,
    };
    if namespace.is_some() && matches!(kind, Kind::OnAck(_) | Kind::Timer(_) | Kind::Push(_)) {
        return error("this attribute takes no namespace: the token, name or topic says enough");
    }
    match &namespace {
        Some(path) if !path.value().starts_with('/') && !path.value().starts_with("raw:") => {
            Err(Error::new_spanned(path, "a namespace begins with \"/\""))
        }
        _ => Ok((kind, namespace)),
    }
}

fn parameter(argument: &FnArg) -> Result<Parameter> {
    let FnArg::Typed(argument) = argument else {
        let message = "a handler has no `self`: nothing in memory survives a call. Keep what must last in \
                       `socket.set_state`, in `kv`, or in a room";
        return Err(Error::new_spanned(argument, message));
    };
    let name = match &*argument.pat {
        Pat::Ident(pattern) => pattern.ident.to_string(),
        _ => String::new(),
    };
    let what = match &*argument.ty {
        Type::Reference(reference) => what(&reference.elem),
        ty => what(ty),
    };
    // `&str` and `String` may both be arguments; only the former may be a token.
    let what = if what == What::Str && !matches!(&*argument.ty, Type::Reference(_)) {
        What::Argument
    } else {
        what
    };
    Ok(Parameter {
        what,
        name,
        ty: (*argument.ty).clone(),
    })
}

fn what(ty: &Type) -> What {
    let Type::Path(path) = ty else {
        return What::Argument;
    };
    let Some(last) = path.path.segments.last() else {
        return What::Argument;
    };
    match last.ident.to_string().as_str() {
        "Socket" => What::Socket,
        "Handshake" => What::Handshake,
        "Event" => What::Event,
        "Ack" => What::Ack,
        "DisconnectReason" => What::Reason,
        "Answer" => What::Answer,
        "Timer" => What::Timer,
        "Push" => What::Push,
        "Migration" => What::Migration,
        "str" => What::Str,
        _ => What::Argument,
    }
}

fn check(kind: &Kind, parameter: &Parameter) -> Result<()> {
    let (takes, allowed): (&str, &[What]) = match kind {
        Kind::Connect => (
            "#[connect] takes `&Socket` and `&Handshake`",
            &[What::Socket, What::Handshake],
        ),
        Kind::On(_) => (
            "#[on] takes `&Socket`, `Ack`, and either the event's arguments or the `Event`",
            &[What::Socket, What::Ack, What::Event, What::Argument, What::Str],
        ),
        Kind::Fallback => (
            "#[fallback] takes `&Socket`, `Event` and `Ack`",
            &[What::Socket, What::Event, What::Ack],
        ),
        Kind::Disconnect => (
            "#[disconnect] takes `&Socket` and `DisconnectReason`",
            &[What::Socket, What::Reason],
        ),
        Kind::OnAck(_) => (
            "#[on_ack] takes `&Socket`, `&str` (the token) and `Answer`",
            &[What::Socket, What::Str, What::Answer],
        ),
        Kind::Timer(_) => (
            "#[timer] takes `Timer` or its payload",
            &[What::Timer, What::Argument],
        ),
        Kind::Push(_) => (
            "#[push] takes `Push` or its payload",
            &[What::Push, What::Argument],
        ),
        Kind::Migrate => (
            "#[migrate] takes `&Socket`, the old state and `Migration`",
            &[What::Socket, What::Argument, What::Migration],
        ),
    };
    if !allowed.contains(&parameter.what) {
        return Err(Error::new_spanned(&parameter.ty, takes));
    }
    let borrowed = matches!(parameter.ty, Type::Reference(_));
    let must_borrow = matches!(parameter.what, What::Socket | What::Handshake);
    let must_own = matches!(
        parameter.what,
        What::Event | What::Ack | What::Reason | What::Answer | What::Timer | What::Push | What::Migration
    );
    match (borrowed, must_borrow, must_own) {
        (false, true, _) => Err(Error::new_spanned(
            &parameter.ty,
            "take this by reference: `&Socket`, `&Handshake`",
        )),
        (true, _, true) => Err(Error::new_spanned(
            &parameter.ty,
            "take this by value, without the `&`",
        )),
        _ => Ok(()),
    }
}

fn returns_unit(output: &ReturnType) -> Result<bool> {
    let wanted = "a handler answers `Result<()>` (or, with #[on], `Result<T>`: `T` is the client's ack)";
    let ReturnType::Type(_, ty) = output else {
        return Err(Error::new(Span::call_site(), wanted));
    };
    let Type::Path(path) = &**ty else {
        return Err(Error::new_spanned(ty, wanted));
    };
    let Some(last) = path.path.segments.last() else {
        return Ok(true);
    };
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return Err(Error::new_spanned(ty, wanted));
    };
    let unit = arguments.args.first().is_some_and(
        |first| matches!(first, syn::GenericArgument::Type(Type::Tuple(tuple)) if tuple.elems.is_empty()),
    );
    Ok(unit)
}

fn unique(routes: &[Route]) -> Result<()> {
    let mut seen = HashSet::new();
    for route in routes {
        let (word, name) = match &route.kind {
            Kind::Connect => ("connect", None),
            Kind::On(name) => ("on", Some(name.value())),
            Kind::Fallback => ("fallback", None),
            Kind::Disconnect => ("disconnect", None),
            Kind::OnAck(name) => ("on_ack", name.as_ref().map(LitStr::value)),
            Kind::Timer(name) => ("timer", name.as_ref().map(LitStr::value)),
            Kind::Push(name) => ("push", name.as_ref().map(LitStr::value)),
            Kind::Migrate => ("migrate", None),
        };
        if !seen.insert((word, name, route.namespace.as_ref().map(LitStr::value))) {
            return Err(Error::new(route.span, "there is a function for this already"));
        }
    }
    Ok(())
}
