//! Statistics of pairs: `corr`, `covar_*`, `regr_*`. The first argument is Y, the second X (manual 9.21).
//!
//! The sums of squared differences are kept up to date with each pair (Youngs and Cramer, "Some results relevant to
//! choice of sum and sum-of-product algorithms", Technometrics 13, 1971), as PostgreSQL does: the digits agree.

use nqdb_sqlstate::SqlResult;
use nqdb_types::Datum;

use super::wrong_type;
use crate::Accumulator;
use crate::arithmetic::float::overflow;

/// What is asked of the pairs.
#[derive(Clone, Copy)]
enum Measure {
    Count,
    SumOfSquaresX,
    SumOfSquaresY,
    SumOfProducts,
    MeanX,
    MeanY,
    Determination,
    Slope,
    Intercept,
    PopulationCovariance,
    SampleCovariance,
    Correlation,
}

macro_rules! states {
    ($($name:ident $measure:ident;)*) => {
        $(pub(super) fn $name() -> Box<dyn Accumulator> {
            Box::new(Regression { measure: Measure::$measure, ..Regression::EMPTY })
        })*
    };
}

states! {
    count Count;
    sum_of_squares_x SumOfSquaresX;
    sum_of_squares_y SumOfSquaresY;
    sum_of_products SumOfProducts;
    mean_x MeanX;
    mean_y MeanY;
    determination Determination;
    slope Slope;
    intercept Intercept;
    population_covariance PopulationCovariance;
    sample_covariance SampleCovariance;
    correlation Correlation;
}

struct Regression {
    measure: Measure,
    pairs: f64,
    sum_x: f64,
    squares_x: f64,
    sum_y: f64,
    squares_y: f64,
    products: f64,
}

impl Regression {
    const EMPTY: Regression = Regression {
        measure: Measure::Count,
        pairs: 0.0,
        sum_x: 0.0,
        squares_x: 0.0,
        sum_y: 0.0,
        squares_y: 0.0,
        products: 0.0,
    };

    /// Takes in a pair; 22003 when finite values give an infinite sum.
    fn add(&mut self, y: f64, x: f64) -> SqlResult<()> {
        let (earlier, earlier_x, earlier_y) = (self.pairs, self.sum_x, self.sum_y);
        self.pairs += 1.0;
        if matches!(self.measure, Measure::Count) {
            return Ok(());
        }
        self.sum_x += x;
        self.sum_y += y;
        if earlier == 0.0 {
            if !x.is_finite() {
                (self.squares_x, self.products) = (f64::NAN, f64::NAN);
            }
            if !y.is_finite() {
                (self.squares_y, self.products) = (f64::NAN, f64::NAN);
            }
            return Ok(());
        }
        let difference_x = x * self.pairs - self.sum_x;
        let difference_y = y * self.pairs - self.sum_y;
        let scale = 1.0 / (self.pairs * earlier);
        self.squares_x += difference_x * difference_x * scale;
        self.squares_y += difference_y * difference_y * scale;
        self.products += difference_x * difference_y * scale;
        let finite_x = !earlier_x.is_infinite() && !x.is_infinite();
        let finite_y = !earlier_y.is_infinite() && !y.is_infinite();
        if (finite_x && (self.sum_x.is_infinite() || self.squares_x.is_infinite()))
            || (finite_y && (self.sum_y.is_infinite() || self.squares_y.is_infinite()))
            || (finite_x && finite_y && self.products.is_infinite())
        {
            return Err(overflow());
        }
        for sum in [&mut self.squares_x, &mut self.squares_y, &mut self.products] {
            if sum.is_infinite() {
                *sum = f64::NAN;
            }
        }
        Ok(())
    }

    fn result(&self) -> Option<f64> {
        let Regression { pairs, sum_x, squares_x, sum_y, squares_y, products, .. } = *self;
        if pairs < 1.0 {
            return None;
        }
        match self.measure {
            Measure::Count => Some(pairs),
            Measure::SumOfSquaresX => Some(squares_x),
            Measure::SumOfSquaresY => Some(squares_y),
            Measure::SumOfProducts => Some(products),
            Measure::MeanX => Some(sum_x / pairs),
            Measure::MeanY => Some(sum_y / pairs),
            Measure::PopulationCovariance => Some(products / pairs),
            Measure::SampleCovariance => (pairs >= 2.0).then(|| products / (pairs - 1.0)),
            Measure::Correlation => {
                (squares_x != 0.0 && squares_y != 0.0).then(|| products / (squares_x * squares_y).sqrt())
            }
            // Where X does not vary there is no line through the pairs.
            _ if squares_x == 0.0 => None,
            Measure::Determination if squares_y == 0.0 => Some(1.0),
            Measure::Determination => Some((products * products) / (squares_x * squares_y)),
            Measure::Slope => Some(products / squares_x),
            Measure::Intercept => Some((sum_y - sum_x * products / squares_x) / pairs),
        }
    }
}

impl Accumulator for Regression {
    fn accumulate(&mut self, args: &[Datum]) -> SqlResult<()> {
        let (Some(y), Some(x)) = (args.first(), args.get(1)) else { return Ok(()) };
        if y.is_null() || x.is_null() {
            return Ok(());
        }
        let y = y.as_float().ok_or_else(|| wrong_type(y))?;
        let x = x.as_float().ok_or_else(|| wrong_type(x))?;
        self.add(y, x)
    }

    fn finish(&mut self) -> SqlResult<Datum> {
        Ok(match self.measure {
            Measure::Count => Datum::Int8(self.pairs as i64),
            _ => self.result().map_or(Datum::Null, Datum::Float8),
        })
    }

    fn size_bytes(&self) -> usize {
        size_of::<Regression>()
    }
}
