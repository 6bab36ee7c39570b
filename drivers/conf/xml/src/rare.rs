//! Parts that most values have nothing of.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::content::Content;
use crate::describe::{Describe, Description};
use crate::dom::Node;
use crate::error::Result;
use crate::writer::Writer;

/// A type with a value that says nothing. Derived for structs all of whose fields have one.
pub trait Nothing: Sized + 'static {
    /// The value that says nothing.
    const NOTHING: Self;

    /// The same, to look at.
    fn nothing() -> &'static Self;
}

impl<T: 'static> Nothing for Option<T> {
    const NOTHING: Self = None;

    fn nothing() -> &'static Self {
        const { &None }
    }
}

impl<T: 'static> Nothing for Vec<T> {
    const NOTHING: Self = Self::new();

    fn nothing() -> &'static Self {
        const { &Self::new() }
    }
}

impl Nothing for bool {
    const NOTHING: Self = false;

    fn nothing() -> &'static Self {
        &false
    }
}

/// A `T` that takes the room of a pointer as long as it says nothing.
///
/// It is used like the `T` itself: to look at it needs no more, and changing makes room for it. What has been made to say
/// nothing again equals what never said anything, and gives its room back with [`Rare::tidy`].
#[derive(Clone)]
pub struct Rare<T>(Option<Box<T>>);

impl<T: Nothing + PartialEq> Rare<T> {
    /// Keeps `value`.
    pub fn new(value: T) -> Self {
        Self((value != *T::nothing()).then(|| Box::new(value)))
    }

    /// Gives the room back if it says nothing.
    pub fn tidy(&mut self) {
        self.0.take_if(|value| **value == *T::nothing());
    }
}

impl<T> Rare<T> {
    /// The value to be changed, if there is room for one.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T: Nothing> Rare<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0.map_or(T::NOTHING, |value| *value)
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: 'static> Nothing for Rare<T> {
    const NOTHING: Self = Self(None);

    fn nothing() -> &'static Self {
        const { &Self(None) }
    }
}

impl<T: Nothing + PartialEq> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Nothing> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::nothing())
    }
}

impl<T: Nothing> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::NOTHING))
    }
}

impl<T: Nothing + PartialEq> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.0.is_none() && other.0.is_none()) || **self == **other
    }
}

impl<T: Nothing + Eq> Eq for Rare<T> {}

impl<T: Nothing + fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<'a, T: 'static> IntoIterator for &'a Rare<Vec<T>> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T: 'static> IntoIterator for &'a mut Rare<Vec<T>> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.get_mut()
            .map(Vec::as_mut_slice)
            .unwrap_or_default()
            .iter_mut()
    }
}

impl<T: 'static> IntoIterator for Rare<Vec<T>> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<T: Content + Nothing + PartialEq> Content for Rare<T> {
    fn parse(node: Node<'_>) -> Result<Self> {
        T::parse(node).map(Self::new)
    }

    fn attrs(&self, w: &mut Writer) {
        if let Some(value) = &self.0 {
            value.attrs(w);
        }
    }

    fn children(&self, w: &mut Writer) {
        if let Some(value) = &self.0 {
            value.children(w);
        }
    }
}

impl<T: Describe> Describe for Rare<T> {
    fn describe() -> &'static Description {
        T::describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Text;

    #[derive(virtbus_xml::Nothing, Debug, Clone, PartialEq)]
    struct Part {
        name: Option<Text>,
        list: Rare<Vec<u32>>,
        on: bool,
    }

    #[test]
    fn nothing_takes_no_room() {
        let mut part = Rare::new(Part::NOTHING);
        assert!(part.get_mut().is_none());
        for n in &mut part.list {
            *n += 1;
        }
        part.list.push(7);
        assert_eq!(part.list.iter().sum::<u32>(), 7);
        assert_ne!(part, Rare::default());
        part.list.clear();
        assert_eq!(part, Rare::default());
        assert!(part.get_mut().is_some());
        part.tidy();
        assert!(part.get_mut().is_none());
        part.on = true;
        part.tidy();
        assert!(part.get_mut().is_some_and(|part| part.on));
        assert_eq!(format!("{:?}", part.name), "None");
    }
}
