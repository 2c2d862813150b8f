//! Requests of a data type of the user: what it may see and do, and how it answers.

use super::basic::PayloadSink;
use super::{Answer, Answered, Context, Problem, Service, Spread, too_long, within_bounds};
use crate::config::Config;
use crate::id::Value;
use crate::replicated::{Change, Product, Refused, Replica, Replicated, Store};
use crate::storage::{Buf, Limits, Scratch, Storage, TEXTS, Text};
use crate::time::Now;
use crate::wire::{Body, Out, Scalar, Str, Why, integer};

/// Room for the strings of a request whose escapes have to be resolved.
pub type Texts<S> = [<<S as Storage>::Scratch as Scratch>::Text; TEXTS];

/// The requests of a data type, which clients send as they send those of the set, the counter and the map.
///
/// A data type that clients do not speak to has none: `impl<S: Product<Own = Self>> Requests<S> for MyType {}`.
pub trait Requests<S: Product>: Replicated<S> {
    /// The types of the messages that [`Requests::handle`] is given. Types that this crate knows are not among them.
    const NAMES: &'static [&'static str] = &[];

    /// Handles a request. `name` is one of [`Requests::NAMES`]. `texts` is room for the strings of the request.
    ///
    /// # Errors
    /// Why it cannot be carried out: the reply to the client is this error. What was changed before stays changed, so a
    /// handler checks first and changes then.
    fn handle(
        name: &'static str,
        request: &Request<'_>,
        texts: &mut Texts<S>,
        cx: &mut RequestContext<'_, S>,
    ) -> Result<Replied, RequestError> {
        let _ = (name, request, texts, cx);
        Err(RequestError::UNKNOWN_TYPE)
    }
}

impl<S: Product> Requests<S> for () {}

/// A storage with a data type whose requests a node can answer: what [`Node`](crate::Node) and
/// [`Member`](crate::Member) are generic over. Everything that can be is one; there is nothing to implement.
pub trait Application: Storage<Own: Requests<Self>> {}

impl<S: Storage<Own: Requests<Self>>> Application for S {}

/// A request, field by field.
#[derive(Clone, Debug)]
pub struct Request<'m> {
    body: Body<'m>,
    limits: &'m Limits,
}

impl<'m> Request<'m> {
    /// Whether a field is there. One that is `null` counts as absent.
    ///
    /// # Errors
    /// It is there twice.
    pub fn has(&self, field: &'static str) -> Result<bool, RequestError> {
        let token = self.body.get(field).map_err(|_| bad(field, Why::Twice))?;
        Ok(token.is_some_and(|token| token != crate::wire::Token::Null))
    }

    /// A field that has to be an integer from `min` to `max`.
    ///
    /// # Errors
    /// It is missing, there twice, no integer, or outside of the range.
    pub fn int(&self, field: &'static str, min: i64, max: i64) -> Result<i64, RequestError> {
        integer(self.token(field)?, min, max).map_err(|why| bad(field, why))
    }

    /// A field that has to be an integer or a string. `text` is room for a string that has escapes.
    ///
    /// # Errors
    /// It is missing, there twice, something else, or longer than [`Limits::text_bytes`].
    pub fn value<'s>(&self, field: &'static str, text: &'s mut impl Text) -> Result<Value<'s>, RequestError>
    where
        'm: 's,
    {
        let scalar = Scalar::of(self.token(field)?);
        let scalar = scalar.ok_or(bad(field, Why::Not("an integer in the range of 64 bits or a string")))?;
        let value = scalar.value(text).ok_or(bad(field, too_long(self.limits)))?;
        within_bounds(value, self.limits).map_err(|why| bad(field, why))
    }

    fn token(&self, field: &'static str) -> Result<crate::wire::Token<'m>, RequestError> {
        let token = self.body.get(field).map_err(|_| bad(field, Why::Twice))?;
        token.ok_or(bad(field, Why::Missing))
    }
}

const fn bad(name: &'static str, why: Why) -> RequestError {
    RequestError(Problem::OwnField { name, why })
}

/// Why a request is not carried out: an error of the Maelstrom protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestError(Problem);

impl RequestError {
    /// Error 10: no message has this type.
    pub const UNKNOWN_TYPE: Self = Self(Problem::UnknownType);

    /// An error with a code of the Maelstrom protocol, or one above 1,000 that is one's own, and a sentence.
    #[must_use]
    pub const fn new(code: u64, text: &'static str) -> Self {
        Self(Problem::Own { code, text })
    }
}

/// The proof that a reply was written: see [`RequestContext::reply`].
#[derive(Debug)]
pub struct Replied(());

/// What a handler of requests may see and do.
pub struct RequestContext<'c, S: Product> {
    replica: &'c mut Replica<S>,
    spread: &'c mut dyn Spread<S>,
    payload: &'c mut S::Payload,
    limits: &'c Limits,
    config: &'c Config,
    now: Now,
}

names_itself!(impl[S: Product] RequestContext<'_, S>, "RequestContext");

impl<S: Product> RequestContext<'_, S> {
    /// The state: the data type itself is [`Store::own`].
    #[must_use]
    pub fn store(&self) -> &Store<S> {
        &self.replica.store
    }

    /// The time of the request.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// The choices of the node.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.config
    }

    /// Makes a local change, as [`Member::update`](crate::Member::update) does. False when the state included it already.
    ///
    /// # Errors
    /// Why it cannot be made; nothing changed.
    pub fn change(&mut self, change: Change<'_>) -> Result<bool, RequestError> {
        match self.replica.change(&change) {
            Ok(Some(made)) => {
                self.spread.made(made);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(refused) => Err(RequestError(self.problem(refused))),
        }
    }

    #[cold]
    fn problem(&self, refused: Refused) -> Problem {
        match refused {
            Refused::Full(bound) => Problem::Full(bound),
            Refused::ClockAhead | Refused::EndOfTime => Problem::EndOfTime,
            Refused::Overflow => Problem::Own { code: 12, text: "the change would leave the range of its integers" },
            Refused::Unreadable => Problem::Own { code: 12, text: "the data type cannot take this change" },
            Refused::Row(_) | Refused::Impostor => Problem::Full(crate::replicated::Bound::Rows(self.limits.rows)),
        }
    }

    /// Writes the reply: its type, and its fields as `fields` adds them. A further reply takes the place of the one before.
    ///
    /// # Errors
    /// The reply is longer than [`Limits::payload_bytes`].
    pub fn reply(&mut self, kind: &str, fields: impl FnOnce(&mut Fields<'_, '_, S>)) -> Result<Replied, RequestError> {
        self.payload.clear();
        let mut sink = PayloadSink(self.payload);
        let mut out = Out::new(&mut sink);
        out.escaped(kind);
        out.raw(b"\"");
        let mut body = Fields { out };
        fields(&mut body);
        match body.out.finish() {
            Ok(_) => Ok(Replied(())),
            Err(_) => Err(RequestError::new(13, "the reply is longer than payload_bytes of the node")),
        }
    }
}

/// The fields of a reply.
pub struct Fields<'o, 'b, S: Storage> {
    out: Out<'o, PayloadSink<'b, S::Payload>>,
}

names_itself!(impl[S: Storage] Fields<'_, '_, S>, "Fields");

impl<S: Storage> Fields<'_, '_, S> {
    /// A field with an integer.
    pub fn int(&mut self, name: &str, int: i64) -> &mut Self {
        self.name(name);
        self.out.int(int);
        self
    }

    /// A field with a value.
    pub fn value(&mut self, name: &str, value: Value<'_>) -> &mut Self {
        self.name(name);
        self.out.value(value);
        self
    }

    /// A field with a list of values.
    pub fn list<'v>(&mut self, name: &str, values: impl IntoIterator<Item = Value<'v>>) -> &mut Self {
        self.name(name);
        self.out.raw(b"[");
        for (at, value) in values.into_iter().enumerate() {
            self.out.str(if at > 0 { ", " } else { "" });
            self.out.value(value);
        }
        self.out.raw(b"]");
        self
    }

    /// A field with `null`.
    pub fn null(&mut self, name: &str) -> &mut Self {
        self.name(name);
        self.out.raw(b"null");
        self
    }

    fn name(&mut self, name: &str) {
        self.out.raw(b", \"");
        self.out.escaped(name);
        self.out.raw(b"\": ");
    }
}

impl<S: Application> Service<S> {
    /// Handles a request of the data type of the user.
    ///
    /// # Errors
    /// What the handler says is wrong with it, or that it has no request of this type.
    #[inline]
    pub fn handle_own<G: Spread<S>>(&mut self, kind: Str<'_>, line: &[u8], cx: &mut Context<'_, S, G>) -> Answered {
        let names = <S::Own as Requests<S>>::NAMES;
        if names.is_empty() {
            return Err(Problem::UnknownType);
        }
        let name = names.iter().find(|name| kind.is(name)).ok_or(Problem::UnknownType)?;
        let body = Body::of(line).ok_or(Problem::UnknownType)?;
        let request = Request { body, limits: cx.limits };
        cx.with_scratch(|cx, texts| self.carry_out(name, &request, cx, texts))
    }

    fn carry_out<G: Spread<S>>(
        &mut self,
        name: &'static str,
        request: &Request<'_>,
        cx: &mut Context<'_, S, G>,
        texts: &mut Texts<S>,
    ) -> Answered {
        let Context { replica, spread, config, limits, now, .. } = cx;
        let mut cx = RequestContext { replica, spread, payload: &mut self.payload, limits, config, now: *now };
        match <S::Own as Requests<S>>::handle(name, request, texts, &mut cx) {
            Ok(Replied(())) => Ok(Answer::Own),
            Err(RequestError(problem)) => Err(problem),
        }
    }
}
