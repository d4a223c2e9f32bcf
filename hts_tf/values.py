"""What settings may be: annotations for the parameters of configurables, each a type and its range.

What is too much for any machine is out of range, too. `configurables` checks values against them.
Imported by executor processes: annotated_types only.
"""

from typing import Annotated

from annotated_types import Ge, Le

Count = Annotated[int, Ge(1), Le(2**53)]
Workers = Annotated[int, Ge(1), Le(1024)]  # threads or processes
Size = Annotated[int, Ge(1), Le(4096)]  # of a layer; initialising a wider one takes minutes

Seconds = Annotated[float, Ge(0.001), Le(1_000_000)]
Fraction = Annotated[float, Ge(0), Le(1)]
PositiveFraction = Annotated[float, Ge(1e-6), Le(1)]
Decay = Annotated[float, Ge(0), Le(0.999999)]  # float32 takes what is nearer to 1 for it
LearningRate = Annotated[float, Ge(1e-20), Le(1)]
Cost = Annotated[float, Ge(0), Le(1_000_000)]
Number = Annotated[float, Ge(-1e20), Le(1e20)]
Positive = Annotated[float, Ge(1e-20), Le(1e20)]  # neither 0 nor infinite in float32
