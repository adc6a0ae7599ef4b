ALTER TABLE `attempt_history` ADD `prompt` text;--> statement-breakpoint
ALTER TABLE `attempt_history` ADD `outcome_event` text;--> statement-breakpoint
ALTER TABLE `attempt_history` ADD `role_outcome` text;--> statement-breakpoint
CREATE INDEX `attempt_history_outcome` ON `attempt_history` (`pool`,`outcome_event`,`finished_ms`);