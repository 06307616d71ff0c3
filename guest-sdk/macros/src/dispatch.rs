use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Error, Ident, ItemImpl, LitStr, Result, Type, spanned::Spanned};

use crate::parse::{Kind, Parameter, Route, What};

/// The implementation of `Handler` that calls the functions, and the component's exports.
pub(crate) fn expand(item: &ItemImpl, routes: &[Route]) -> Result<TokenStream> {
    let ty = &*item.self_ty;
    if routes.is_empty() {
        let message =
            "nothing to handle: give a function #[on(\"event\")], #[connect], #[fallback] or #[disconnect]";
        return Err(Error::new_spanned(ty, message));
    }
    let of = |wanted: fn(&Kind) -> bool| {
        routes
            .iter()
            .filter(|route| wanted(&route.kind))
            .collect::<Vec<_>>()
    };
    let connect = connect(ty, &of(|kind| *kind == Kind::Connect));
    let events = events(ty, routes);
    let disconnect = disconnect(ty, &of(|kind| *kind == Kind::Disconnect));
    let acks = of(|kind| matches!(kind, Kind::OnAck(_)));
    let timers = of(|kind| matches!(kind, Kind::Timer(_)));
    let pushes = of(|kind| matches!(kind, Kind::Push(_)));
    let migrations = of(|kind| *kind == Kind::Migrate);
    let export_acks = (!acks.is_empty()).then(|| quote!(acks,));
    let export_timers = (!timers.is_empty()).then(|| quote!(timers,));
    let export_push = (!pushes.is_empty()).then(|| quote!(push,));
    let export_migration = (!migrations.is_empty()).then(|| quote!(migration,));
    let (acks, timers) = (on_ack(ty, &acks), timer(ty, &timers));
    let (pushes, migrations) = (push(ty, &pushes), migrate(ty, &migrations));
    Ok(quote! {
        #[automatically_derived]
        impl ::wakeline_sdk::Handler for #ty {
            #connect
            #events
            #disconnect
            #acks
            #timers
            #pushes
            #migrations
        }
        ::wakeline_sdk::export!(#ty, #export_acks #export_timers #export_push #export_migration);
    })
}

/// `if` and `else` by namespace; `otherwise` is what happens in namespaces that no function is for.
fn by_namespace(
    routes: &[&Route],
    otherwise: TokenStream,
    mut call: impl FnMut(&Route) -> TokenStream,
) -> TokenStream {
    let everywhere = routes.iter().find(|route| route.namespace.is_none());
    let mut code = everywhere.map_or(otherwise, |route| call(route));
    for route in routes {
        if let Some(namespace) = &route.namespace {
            let here = call(route);
            code = quote!(if __socket.namespace() == #namespace { #here } else { #code });
        }
    }
    code
}

fn connect(ty: &Type, routes: &[&Route]) -> TokenStream {
    let body = by_namespace(routes, quote!(::core::result::Result::Ok(())), |route| {
        let call = call(ty, route, |parameter| {
            if parameter.what == What::Socket {
                quote!(__socket)
            } else {
                quote!(__handshake)
            }
        });
        quote!(#call.map_err(::core::convert::Into::into))
    });
    quote! {
        fn connect(
            __socket: &::wakeline_sdk::Socket,
            __handshake: &::wakeline_sdk::Handshake,
        ) -> ::core::result::Result<(), ::wakeline_sdk::Refusal> {
            #body
        }
    }
}

fn events(ty: &Type, routes: &[Route]) -> TokenStream {
    let fallbacks: Vec<_> = routes
        .iter()
        .filter(|route| route.kind == Kind::Fallback)
        .collect();
    let unhandled = by_namespace(&fallbacks, quote!(::wakeline_sdk::unhandled(&__event)), |route| {
        event(ty, route)
    });
    let mut names: Vec<&LitStr> = Vec::new();
    for route in routes {
        if let Kind::On(name) = &route.kind {
            if !names.iter().any(|known| known.value() == name.value()) {
                names.push(name);
            }
        }
    }
    let arms = names.iter().map(|name| {
        let same: Vec<_> = routes
            .iter()
            .filter(|route| matches!(&route.kind, Kind::On(other) if other.value() == name.value()))
            .collect();
        let body = by_namespace(&same, unhandled.clone(), |route| event(ty, route));
        quote!(#name => { #body })
    });
    quote! {
        fn event(
            __socket: &::wakeline_sdk::Socket,
            #[allow(unused_mut, reason = "not every handler answers")] mut __event: ::wakeline_sdk::Event,
        ) -> ::wakeline_sdk::Result<()> {
            match __event.name() {
                #(#arms)*
                _ => { #unhandled }
            }
        }
    }
}

fn event(ty: &Type, route: &Route) -> TokenStream {
    let is_argument = |parameter: &Parameter| matches!(parameter.what, What::Argument | What::Str);
    let wants_ack = route
        .parameters
        .iter()
        .any(|parameter| parameter.what == What::Ack);
    let take_ack = (wants_ack || !route.returns_unit).then(|| quote!(let __ack = __event.take_ack();));
    let arguments: Vec<_> = route
        .parameters
        .iter()
        .filter(|parameter| is_argument(parameter))
        .collect();
    let names: Vec<Ident> = (0..arguments.len())
        .map(|index| format_ident!("__argument_{index}"))
        .collect();
    let reads = arguments.iter().zip(&names).map(|(argument, name)| {
        let (ty, label) = (&argument.ty, &argument.name);
        quote_spanned!(ty.span()=> let #name: #ty = __reader.next(#label)?;)
    });
    let reader = (!arguments.is_empty()).then(|| quote!(let mut __reader = __event.reader()?;));
    let mut names = names.iter();
    let call = call(ty, route, |parameter| match parameter.what {
        What::Socket => quote!(__socket),
        What::Event => quote!(__event),
        What::Ack => quote!(__ack),
        _ => names.next().map_or_else(TokenStream::new, |name| quote!(#name)),
    });
    let finish = if route.returns_unit {
        quote!(#call)
    } else if wants_ack {
        let message = "answer with the Ack or with the returned value, not with both";
        Error::new(route.span, message).into_compile_error()
    } else {
        quote_spanned!(route.span=> let __answer = #call?; ::wakeline_sdk::__answer(__ack, __answer))
    };
    quote!(#take_ack #reader #(#reads)* #finish)
}

fn disconnect(ty: &Type, routes: &[&Route]) -> TokenStream {
    let body = by_namespace(routes, quote!(::core::result::Result::Ok(())), |route| {
        call(ty, route, |parameter| {
            if parameter.what == What::Socket {
                quote!(__socket)
            } else {
                quote!(__reason)
            }
        })
    });
    quote! {
        fn disconnect(
            __socket: &::wakeline_sdk::Socket,
            __reason: ::wakeline_sdk::DisconnectReason,
        ) -> ::wakeline_sdk::Result<()> {
            #body
        }
    }
}

fn on_ack(ty: &Type, routes: &[&Route]) -> TokenStream {
    let arms = arms(routes, quote!(::core::result::Result::Ok(())), |route| {
        call(ty, route, |parameter| match parameter.what {
            What::Socket => quote!(__socket),
            What::Str => quote!(__token),
            _ => quote!(__answer),
        })
    });
    quote! {
        fn ack(
            __socket: &::wakeline_sdk::Socket,
            __token: &str,
            __answer: ::wakeline_sdk::Answer,
        ) -> ::wakeline_sdk::Result<()> {
            match __token { #arms }
        }
    }
}

fn timer(ty: &Type, routes: &[&Route]) -> TokenStream {
    let arms = arms(routes, quote!(::core::result::Result::Ok(())), |route| {
        call(ty, route, |parameter| {
            if parameter.what == What::Timer {
                quote!(__timer)
            } else {
                quote_spanned!(parameter.ty.span()=> __timer.payload()?)
            }
        })
    });
    quote! {
        fn timer(__timer: ::wakeline_sdk::timers::Timer) -> ::wakeline_sdk::Result<()> {
            match __timer.name() { #arms }
        }
    }
}

fn push(ty: &Type, routes: &[&Route]) -> TokenStream {
    let rest = quote!(::wakeline_sdk::unhandled_push(&__push));
    let arms = arms(routes, rest, |route| {
        call(ty, route, |parameter| {
            if parameter.what == What::Push {
                quote!(__push)
            } else {
                quote_spanned!(parameter.ty.span()=> __push.payload()?)
            }
        })
    });
    quote! {
        fn push(__push: ::wakeline_sdk::Push) -> ::wakeline_sdk::Result<()> {
            match __push.topic() { #arms }
        }
    }
}

fn migrate(ty: &Type, routes: &[&Route]) -> TokenStream {
    let otherwise = quote!(::core::result::Result::Ok(__migration.into_bytes()));
    let body = by_namespace(routes, otherwise, |route| {
        let takes_state = route
            .parameters
            .iter()
            .find(|parameter| parameter.what == What::Argument);
        let read = takes_state.map(|parameter| {
            let ty = &parameter.ty;
            quote_spanned!(ty.span()=> let __state: #ty = __migration.state()?;)
        });
        let call = call(ty, route, |parameter| match parameter.what {
            What::Socket => quote!(__socket),
            What::Migration => quote!(__migration),
            _ => quote!(__state),
        });
        quote_spanned!(route.span=> #read ::wakeline_sdk::__to_state(&#call?))
    });
    quote! {
        fn migrate(
            __socket: &::wakeline_sdk::Socket,
            __migration: ::wakeline_sdk::Migration,
        ) -> ::wakeline_sdk::Result<::std::vec::Vec<u8>> {
            #body
        }
    }
}

/// One arm a name, the function without a name for the rest, or `rest`.
fn arms(
    routes: &[&Route],
    mut rest: TokenStream,
    mut call: impl FnMut(&Route) -> TokenStream,
) -> TokenStream {
    let mut arms = Vec::new();
    for route in routes {
        let body = call(route);
        match &route.kind {
            Kind::OnAck(Some(name)) | Kind::Timer(Some(name)) | Kind::Push(Some(name)) => {
                arms.push(quote!(#name => { #body }));
            }
            _ => rest = body,
        }
    }
    quote!(#(#arms)* _ => { #rest })
}

fn call(ty: &Type, route: &Route, argument: impl FnMut(&Parameter) -> TokenStream) -> TokenStream {
    let function = &route.function;
    let arguments = route.parameters.iter().map(argument);
    quote_spanned!(route.function.span()=> <#ty>::#function(#(#arguments),*))
}
