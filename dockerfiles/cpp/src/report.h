// report.json: what ran, on what, with how many answers. Written in one step.
#pragma once

#include <optional>

#include "accuracy.h"
#include "config.h"
#include "measure.h"
#include "model.h"

namespace sut {

// Writes the report to the output folder.
void write_report(const Harness& harness, const ReadyModel& model, const Measured& measured,
                  const std::optional<Accuracy>& accuracy);

}  // namespace sut
