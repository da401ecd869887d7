#pragma once

// All that a program needs to load, train, evaluate, save and ask a classifier.

#include "data/glue_reader.h"
#include "data/metrics.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/training/distill_rows.h"
#include "transkimmer/training/evaluation.h"
#include "transkimmer/training/inference.h"
#include "transkimmer/training/keep_probabilities.h"
#include "transkimmer/training/option_error.h"
#include "transkimmer/training/predict.h"
#include "transkimmer/training/scoring.h"
#include "transkimmer/training/task_model.h"
#include "transkimmer/training/teacher.h"
#include "transkimmer/training/trainer.h"
