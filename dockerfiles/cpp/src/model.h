// The model with its data set, ready to run: runners fitted to the samples, the batch size that really works.
#pragma once

#include <memory>
#include <vector>

#include "config.h"
#include "dataset.h"
#include "runner.h"

namespace sut {

// A loaded model with a runner for each lane, all warmed up; `batch` is the batch in force.
struct ReadyModel {
    std::unique_ptr<Backend> backend;
    Dataset dataset;
    std::vector<std::unique_ptr<Runner>> runners;
    size_t batch = 1;
};

// Loads model and data set and fits one to the other; a Fault (exit 2) where they do not.
ReadyModel ready(const Harness& harness);

}  // namespace sut
