"""Pure functions of cached features: distances, rates, intervals; a ``DataError`` says what there is too little of."""
