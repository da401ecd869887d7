#pragma once

#include "nn/flat_parameters.h"
#include "transkimmer/skim/costs.h"

namespace tk {

/// What no program that computes the same can do without: multiply-accumulates of products and attention, and bytes of
/// memory that are far too many for a cache.
struct Work {
  double macs = 0;
  double bytes = 0;
};

/// A training step's forward and backward on these rows. Gates are masks there, so all rows count, but the last
/// layer updates only those that the head reads; each product has two of its size in the backward.
double training_macs(const Config& config, const Packed& rows);

/// What one AdamW step reads and writes: gradients for their norm, then gradients, values and moments; of the table of
/// embeddings the values and moments of the rows that any batch has touched.
double optimizer_bytes(const FlatParameters& parameters, std::int64_t touched_rows);

/// What a device does at best.
struct MachineRates {
  double macs_per_second = 0;   ///< of a large matrix product
  double bytes_per_second = 0;  ///< read and written by a large copy
};

/// Measured in a fraction of a second with the threads that kernels have: the product in `dtype` by the program's own
/// kernel and on the CPU by OpenBLAS as well, whichever is faster. The memory is given back, and the device's peaks
/// begin anew.
MachineRates measure_rates(Device device, DType dtype);

/// Seconds that the work takes at these rates. They add up: an optimizer waits for the norm of all gradients.
double floor_seconds(const Work& work, const MachineRates& rates);

}  // namespace tk
