// One LoadGen test, from settings to the destroyed SUT. Judges nothing.
#pragma once

#include <cstddef>
#include <string>

#include "config.h"
#include "model.h"

namespace sut {

// A test that ran to its end. `asked` is how many samples an accuracy run had to answer.
struct Measured {
    size_t issued = 0;
    size_t completed = 0;
    size_t performance_samples = 0;
    size_t asked = 0;
};

// Runs LoadGen's test; its logs lie in the output folder afterwards.
Measured measure(const Harness& harness, const ReadyModel& model);

// LoadGen's own version.
std::string loadgen_version();

// Compares LoadGen's built-in seeds with those of a JSON file; a Fault names both where they differ.
void check_seeds(const std::string& path);

}  // namespace sut
